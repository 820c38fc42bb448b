"""How surely the scores of layers differ: from the layer before, and between two models."""

from collections.abc import Sequence
from typing import Any

from ..studies import Comparison, Study
from ._layers import finite


def differences_entry(studies: Sequence[Study]) -> list[dict[str, Any]]:
    """Build the differences of each layer from the one before, and of two models' layers.

    Each has the places that are compared, model and layer, and of each measure the 95 % interval of
    the second less the first, and the p value, which is corrected for the ``count`` of comparisons
    of its kind.
    """
    entries = []
    for number, study in enumerate(studies):
        entries += layer_differences(study, number, list(study))
    if len(studies) == 2:
        try:
            found = studies[0].compare(studies[1])
        except ValueError:  # of other samples with the same labels, or without a common layer
            return entries
        listed = list(studies[0]), list(studies[1])
        entries += _entries(found, (studies[0], studies[1]), (0, 1), listed)
    return entries


def layer_differences(study: Study, model: int, listed: list[str]) -> list[dict[str, Any]]:
    """Build the differences of each layer of a study from the one before.

    Parameters
    ----------
    study : Study
        Of a model, or of it at an epoch.
    model : int
        The number of the model.
    listed : list of str
        The layers of the model as the page lists them.
    """
    if sum(bool(layer.scores) and layer.same_as is None for layer in study.values()) < 2:
        return []
    found = study.compare_layers()
    return _entries(found, (study, study), (model, model), (listed, listed))


def _entries(
    found: Comparison,
    studies: tuple[Study, Study],
    models: tuple[int, int],
    listed: tuple[list[str], list[str]],
) -> list[dict[str, Any]]:
    by_layers: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in found:
        # A view is looked up by the layer that it is a view of.
        views = (study[name].same_as for study, name in zip(studies, row.layers, strict=True))
        if row.interval is None or row.p_corrected is None or any(views):
            continue
        low, high = (finite(end) for end in row.interval)
        if low is not None and high is not None:
            scores = by_layers.setdefault(row.layers, {})
            scores[row.measure] = [_digits(value) for value in (low, high, row.p_corrected)]
    return [
        {
            "first": [models[0], listed[0].index(first)],
            "second": [models[1], listed[1].index(second)],
            "count": found.n_compared,
            "scores": scores,
        }
        for (first, second), scores in by_layers.items()
    ]


def _digits(value: float) -> float:
    return float(f"{value:.4g}")
