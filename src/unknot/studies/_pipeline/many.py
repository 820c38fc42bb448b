"""The function `study_many`: many models, checkpoints or seeds, each study a task."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from ..._cluster import workers_of
from ..._io.atomic import write_json
from ..._io.folders import LinkError, claim
from ..._io.lock import locked
from ..._io.sendable import sendable_within
from ..._io.text import did_you_mean
from ..._parallel.lanes import Program, Task, run_programs
from ..._parallel.n_jobs import resolve_n_jobs
from .._many import FORMAT, MANIFEST, Studies
from .run import study

_UNSAFE: Final = re.compile(r"[^\w.=+-]+")
_RESERVED: Final = {"con", "prn", "aux", "nul"}


def study_many(
    models: Any,
    data: Any,
    *,
    out: Any,
    executor: Any = None,
    client: Any = None,
    load_options: Mapping[str, Any] | None = None,
    maps: Any = None,
    n_jobs: int | None = None,
    on_study: Callable[[str, float, str], None] | None = None,
    **options: Any,
) -> Studies:
    """Study many models on the same data: checkpoints of a training, seeds, or architectures.

    Each study is a task of its own, with a folder of its own. Without an executor or client they
    are made one after the other, each with all threads. A model that cannot be studied does not
    stop the others: `Studies.failed` says why.

    Parameters
    ----------
    models : sequence of paths or models, or mapping of str to these
        A path is loaded by `unknot.load_model`, where its study is made. Studies are called by the
        mapping's keys or by the files' names.
    data : object
        As for `unknot.study`. A path or a name is sent to workers as it is, and read there.
    out : path
        The folder that receives a folder for each study. Finished studies in it are reused, and
        unfinished ones go on. With workers it must be on a file system that all of them see.
    executor : concurrent.futures.Executor, default=None
        Where the studies are made, such as a ``ProcessPoolExecutor``, or those of mpi4py, loky,
        executorlib and Parsl.
    client : distributed.Client, str or True, default=None
        The same on a Dask cluster: a client, the address of a scheduler or the path of its file, or
        True for a cluster on this machine.
    load_options : mapping, default=None
        ``factory`` and ``trust_pickle`` of `unknot.load_model`, for models that are paths.
    maps : mapping of str to mapping, default=None
        Your own maps of each study, by its name; else as for `unknot.study`:
        ``{"step 1": {"UMAP": {"fc1": map_}}}``. Studies without an entry have none.
    n_jobs : int, default=None
        Threads of each study; by default those of its worker.
    on_study : callable, default=None
        Called after each study with its name, its duration in seconds, and the error as text,
        which is empty if there was none.
    **options
        Further options of `unknot.study`, the same for all; a ``mapper`` maps the layers of each.

    Returns
    -------
    Studies
        The studies by name, with one table, figure and page of all.

    Raises
    ------
    ValueError
        If there are no models, two have the same name, maps are of none of them, or none could be
        studied.
    FileExistsError
        If `out` holds something else.
    OSError
        If the disk is full; what was finished is kept.
    ClusterError
        If workers do not answer, do not see `out`, or die; the message names the remedy.

    See Also
    --------
    unknot.study : One study; with `client`, its layers are tasks.
    unknot.studies.EpochRecorder : The epochs of a training, in one study.

    Examples
    --------
    >>> import numpy as np, tempfile, unknot
    >>> labels = np.repeat([0, 1], 30)
    >>> noise = np.random.default_rng(0).normal(size=(60, 3))
    >>> checkpoints = {f"step {n}": {"fc1": noise + n * labels[:, None]} for n in (1, 2)}
    >>> options = dict(measures="neighborhood_hit", max_iter=250)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     studies = unknot.study_many(checkpoints, (None, labels), out=folder, **options)
    ...     list(studies), studies.best("neighborhood_hit")["step 2"][0]
    (['step 1', 'step 2'], 'fc1')
    """
    for name in ("name", "plan", "on_stage", "on_plan"):
        if name in options:
            raise TypeError(f"study_many() takes no {name}=; pass models as a mapping to name them")
    named = _named(models)
    own_maps = _maps_of(maps, named)
    folders = _folders_of(named)
    out = Path(out)
    claim(out, FORMAT)
    options = {"progress": False, **options}
    with locked(out), workers_of(executor, client, n_jobs) as workers:
        if workers is not None:
            workers.check(out)
            # Where its folder is not seen, a Zarr array would read as zeros.
            named, data = sendable_within(named), sendable_within(data)

        def program(name: str, model: Any) -> Program:
            work = partial(
                _study_one,
                model,
                dict(load_options or {}),
                data,
                name,
                out / folders[name],
                {**options, "maps": own_maps.get(name)},
            )

            def ended(found: tuple[float, str]) -> None:
                if on_study is not None:
                    on_study(name, *found)

            found = yield Task(work, label=f"{name}: study", ended=ended)
            return found[1]

        errors = run_programs(
            [program(name, model) for name, model in named.items()],
            resolve_n_jobs(n_jobs),
            0,
            # A model is of this process: one study at a time, which uses all threads.
            overlap=False,
            workers=workers,
        )
        failed = {name: error for name, error in zip(named, errors, strict=True) if error}
        if len(failed) == len(named):
            name, error = next(iter(failed.items()))
            raise ValueError(f"none of the {len(named)} models could be studied; {name}: {error}")
        write_json(
            out / MANIFEST, {"format": FORMAT, "version": 1, "studies": folders, "failed": failed}
        )
    return Studies.load(out)


def _study_one(
    model: Any,
    load_options: dict[str, Any],
    data: Any,
    name: str,
    out: Path,
    options: dict[str, Any],
    n_threads: int,
) -> tuple[float, str]:
    """Make one study; return its duration and, if it failed, why."""
    from ...representations import load_model

    started = time.perf_counter()
    try:
        loaded = load_model(model, **load_options) if isinstance(model, str | Path) else model
        study(loaded, data, out=out, name=name, n_jobs=n_threads, **options)
    except (LinkError, MemoryError):
        raise
    except OSError as error:
        # A full disk ends all; a missing file is of this model alone.
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        return time.perf_counter() - started, f"{type(error).__name__}: {error}"
    except Exception as error:  # of the model's own code, which may raise anything
        return time.perf_counter() - started, f"{type(error).__name__}: {error}"
    return time.perf_counter() - started, ""


def _maps_of(maps: Any, named: Mapping[str, Any]) -> dict[str, Any]:
    """Return the maps of each study by its name."""
    if maps is None:
        return {}
    if not isinstance(maps, Mapping):
        raise TypeError(
            "maps must be a dict of names of studies to what unknot.study takes, such as "
            f'{{"step 1": {{"UMAP": {{"fc1": map_}}}}}}; got {type(maps).__name__}'
        )
    for name in maps:
        if name not in named:
            raise ValueError(
                f"maps: there is no study {name!r}; the studies are {', '.join(named)}"
                f"{did_you_mean(str(name), named)}"
            )
    return dict(maps)


def _named(models: Any) -> dict[str, Any]:
    if isinstance(models, str | Path):
        raise TypeError(f"models must be several models or paths; got {models!r}. Pass a list")
    if isinstance(models, Mapping):
        named = {str(name): model for name, model in models.items()}
    elif isinstance(models, Iterable):
        listed = list(models)
        names = [
            Path(model).stem if isinstance(model, str | Path) else f"model {number}"
            for number, model in enumerate(listed)
        ]
        if len(set(names)) < len(names):
            # Checkpoints of several runs: runs/a/last.keras, runs/b/last.keras.
            names = [
                f"{Path(model).parent.name}-{name}" if isinstance(model, str | Path) else name
                for name, model in zip(names, listed, strict=True)
            ]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(
                f"models: {repeated[0]!r} is the name of more than one; pass a mapping of names to "
                "models"
            )
        named = dict(zip(names, listed, strict=True))
    else:
        raise TypeError(
            "models must be a sequence or a mapping of models or paths; got "
            f"{type(models).__name__}"
        )
    if not named:
        raise ValueError("models must hold at least one model; got none")
    return named


def _folders_of(named: Mapping[str, Any]) -> dict[str, str]:
    """Return a folder's name for each study: safe on every system, and distinct without case."""
    folders: dict[str, str] = {}
    taken: set[str] = set()
    for name in named:
        safe = _UNSAFE.sub("-", name).strip("-. ")[:80] or "model"
        if safe.lower().partition(".")[0] in _RESERVED or safe == MANIFEST:
            safe = f"model-{safe}"
        folder, number = safe, 2
        while folder.lower() in taken:
            folder, number = f"{safe}-{number}", number + 1
        taken.add(folder.lower())
        folders[name] = folder
    return folders
