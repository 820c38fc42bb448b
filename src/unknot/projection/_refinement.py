"""Refine maps of the same samples together, so that what stayed in the data stays on the maps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

from .._validation.numbers import check_number, memory_budget
from ._coupled import Accept, Computed, CoupledMaps, Key
from ._problem import Shelf

COHERENCE: Final = 0.1
"""The coupling of a study's maps; measured in docs/coherence.md."""
MOST: Final = 1.0
# Affinities of all maps above this size are kept in files.
MOST_BYTES = 2**30


def refine_maps(
    graphs: Any,
    maps: Any,
    *,
    coherence: float = COHERENCE,
    fixed: Collection[str] = (),
    accept: Accept | None = None,
    kl_divergences: Any = None,
    max_memory: int | str | None = None,
    **settings: Any,
) -> Any:
    r"""Refine maps of the same samples together, so that only what changed moves between them.

    About 150 more iterations of all maps in turns. After every five, each sample's positions on
    maps that follow one another attract each other, the more, the more of its neighbors it kept:
    maps minimize

    .. math:: \sum_t KL_t + \frac{\lambda}{2n} \sum_t \sum_i w_{it} |u_{it} - u_{i,t+1}|^2

    where u is a map in units of its radius, turned onto the one before, and w the weight; radii
    attract each other, too. On a grid
    of layers and epochs, maps of the same epoch attract each other along the layers, and those of
    the same layer along the epochs.

    No map may pay for it: if the KL divergence grows by more than 1 %, or ``accept`` refuses the
    map, it starts again with a weaker coupling, or stays as it was; its `RefinedMap.note` says so.

    Parameters
    ----------
    graphs : mapping of str to NeighborGraph or None, or sequence of these
        The nearest neighbors of each layer, in order, three times the perplexity for each sample.
        None where a layer has no map; those beside it then follow one another. A sequence of
        mappings is a grid: one for each epoch, in order.
    maps : mapping of str to array-like (n_samples, n_components), or sequence of these
        The maps of the layers in ``graphs``, computed one after another (`map_layers`): coupled
        maps that were computed independently end worse.
    coherence : float, default=0.1
        The strength of the coupling, from 0 to 1. More leaves less movement, and higher KL
        divergences.
    fixed : collection of str, default=()
        Layers whose maps stay as they are, such as the data themselves: what is the same for all
        models must not differ between studies of them.
    accept : callable, optional
        Called with (number of the mapping, name), the map before and the map after; returns why the
        new map must not be, such as that it shows the classes better than the layer has them, or
        None.
    kl_divergences : mapping of str to float, or sequence of these, optional
        The divergences of the maps if they are known, as ``maps``; others are computed.
    max_memory : int, str or None, default=None
        Affinities of all maps that need more than this are kept in temporary files. None is 1 GB.
    **settings
        Parameters of `TSNE` that the maps were computed with, as for `map_after`.

    Returns
    -------
    dict of str to RefinedMap, or list of these
        As ``maps``; None where a layer has none.

    Raises
    ------
    TypeError, ValueError
        If coherence is no number from 0 to 1, graphs and maps are not of the same samples, or
        ``fixed`` names no layer.

    See Also
    --------
    map_layers : Computes maps one after another, and refines them.
    unknot.study : Does so for all layers of a model.

    References
    ----------
    The objective is that of dynamic t-SNE [Rauber2016]_, with weights, turned maps and radii.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> from unknot.projection import displacement, map_layers, refine_maps
    >>> rng = np.random.default_rng(0)
    >>> points = np.repeat(5 * np.eye(3), 40, axis=0) + rng.normal(size=(120, 3))
    >>> layers = {"one": points, "two": points + 0.3 * rng.normal(size=points.shape)}
    >>> graphs = {name: unknot.nearest_neighbors(x, 15) for name, x in layers.items()}
    >>> options = dict(perplexity=5, random_state=0)
    >>> found = dict(map_layers(graphs, points=layers, coherence=0, **options))
    >>> before = {name: each.map_ for name, each in found.items()}
    >>> after = {n: each.map_ for n, each in refine_maps(graphs, before, **options).items()}
    >>> displacement(after["two"], after["one"]) < displacement(before["two"], before["one"])
    True
    """
    check_coherence(coherence)
    is_grid = not isinstance(graphs, Mapping)
    grid_graphs = list(graphs) if is_grid else [graphs]
    grid_maps = [maps] if isinstance(maps, Mapping) or not is_grid else list(maps)
    _check_maps(grid_graphs, grid_maps, fixed)
    computed = _known(kl_divergences, grid_graphs)
    with ExitStack() as stack:
        shelf = shelf_of(max_memory, stack)
        together = CoupledMaps(coherence, settings, shelf, stack)
        together.add(grid_graphs, grid_maps, fixed, computed)
        found = together.run(accept)
    return found if is_grid else found[0]


def shelf_of(max_memory: int | str | None, stack: ExitStack) -> Shelf:
    """Return a place for affinities, which lasts as long as the stack."""
    return Shelf(MOST_BYTES if max_memory is None else memory_budget(max_memory), stack)


def check_coherence(coherence: Any) -> float:
    """Return a coupling as a float.

    Raises
    ------
    TypeError, ValueError
        If it is no number from 0 to 1.
    """
    return float(
        check_number(
            coherence,
            "coherence",
            0.0,
            MOST,
            bounds=f"from 0, for maps that are not coupled, to {MOST:g}; by default {COHERENCE:g}",
        )
    )


def _known(kl_divergences: Any, graphs: Sequence[Mapping[str, Any]]) -> dict[Key, Computed]:
    """Return what is known of each map."""
    if kl_divergences is None:
        return {}
    chains = [kl_divergences] if isinstance(kl_divergences, Mapping) else list(kl_divergences)
    if len(chains) != len(graphs) or not all(isinstance(chain, Mapping) for chain in chains):
        raise TypeError(
            "kl_divergences must be as maps: a dict by layer, or a list of these, one for each "
            f"epoch; got {kl_divergences!r}"
        )
    for chain, there in zip(chains, graphs, strict=True):
        if unknown := [name for name in chain if name not in there]:
            raise ValueError(
                f"kl_divergences: no map is named {unknown[0]!r}; the layers are "
                f"{', '.join(map(str, there))}"
            )
    return {
        (number, name): Computed(
            check_number(value, f"kl_divergences: that of {name!r}", 0.0, bounds="of 0 or more")
        )
        for number, chain in enumerate(chains)
        for name, value in chain.items()
        if value is not None
    }


def _check_maps(graphs: Sequence[Any], maps: Sequence[Any], fixed: Collection[str]) -> None:
    if len(graphs) != len(maps):
        raise ValueError(
            f"maps must have as many mappings as graphs, one for each epoch; got {len(maps)} for "
            f"{len(graphs)}"
        )
    for name, chains in (("graphs", graphs), ("maps", maps)):
        for chain in chains:
            if not isinstance(chain, Mapping):
                raise TypeError(
                    f"{name} must be a dict by layer, or a list of these, one for each epoch; got "
                    f"{type(chain).__name__}"
                )
    names = {name for chain in graphs for name in chain}
    unknown = [fixed] if isinstance(fixed, str) else [name for name in fixed if name not in names]
    if unknown:
        raise ValueError(
            f"fixed must be a collection of layers, of {', '.join(map(str, names)) or 'none'}; got "
            f"{unknown[0]!r}"
        )
