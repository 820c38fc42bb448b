"""The lab from one end to the other."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from .._io.atomic import write_json, write_text
from .._io.cache import Step, Workspace
from .._io.folders import claim
from .._io.lock import locked
from .._io.text import shown
from .._keras import configured_backend, import_keras
from .._validation.numbers import check_integer
from ..datasets import Dataset, load_dataset
from ._settings import TITLES, LabSettings
from ._summary import collect_results, conclusion, tables

FORMAT: Final = "unknot lab"


def run_lab(
    out: str | os.PathLike[str] = "lab",
    *,
    quick: bool = False,
    random_state: int = 0,
    backend: str | None = None,
    settings: LabSettings | None = None,
    console: Console | None = None,
) -> dict[str, Any]:
    """Do the five exercises of the lab on MNIST, into one folder.

    Three networks are trained, saved in every format and loaded again; perceptron and LeNet are
    studied layer by layer; the pixels and the hidden layers are mapped and measured; the figures
    are drawn, and the page of both networks is written. What the folder holds already, from the
    same settings, is not done again; what a changed setting touches is. A run that was killed goes
    on where it was, a training at its last checkpoint.

    Parameters
    ----------
    out : path
        The folder. It gets ``models/``, ``histories/``, ``predictions/``, ``studies/``,
        ``representations/``, ``maps/``, ``figures/``, ``report.html``, ``results.json`` and
        ``summary.txt``.
    quick : bool
        Do a subset in seconds, on fewer images and epochs; what is left out is reported.
    random_state : int, default=0
        Seeds everything random, from 0.
    backend : {"tensorflow", "jax", "torch"}, optional
        Keras' backend; by default the one that Keras is set to, or the first that is installed.
    settings : LabSettings, optional
        Every number at will, instead of `quick`, `random_state` and `backend`.
    console : rich.console.Console, optional
        Where progress, tables and conclusion are printed; standard output by default.

    Returns
    -------
    dict
        What ``results.json`` holds: ``models``, ``studies``, ``maps``, ``settings``,
        ``versions``, ``seconds_total`` (of all steps, also those done in an earlier run).

    Raises
    ------
    ValueError
        If a setting is out of range.
    FileExistsError
        If the folder holds something else than a lab.
    OSError
        If the folder cannot be written, or another lab is at work there; it is named.
    MissingExtraError
        If Keras or the backend is not installed.
    KeyboardInterrupt
        On Ctrl-C; what is done stays, and the next run goes on from there.
    """
    if settings is None:
        seed = check_integer(random_state, "random_state", 0, 2**31 - 1, "from 0 to 2**31 - 1")
        import_keras(backend, feature="The lab")
        chosen = configured_backend() or "tensorflow"
        settings = LabSettings.quick(seed, chosen) if quick else LabSettings(seed, chosen)
    import_keras(settings.backend, feature="The lab")
    folder = Path(out)
    _check_writable(folder)
    claim(folder, FORMAT)
    with locked(folder):
        return _run(Workspace(folder), settings, console or Console())


def _run(workspace: Workspace, settings: LabSettings, console: Console) -> dict[str, Any]:
    from ._figures import draw_figures
    from ._maps import draw_maps
    from ._networks import train_networks
    from ._studies import PAGE, study_networks, write_page

    data = _dataset(settings)
    console.print(
        shown(f"The lab on MNIST, with Keras on {settings.backend}, into {workspace.folder}"),
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if settings.left_out:
        console.print(settings.left_out, markup=False)

    trained = _report_steps(train_networks(workspace, settings, data), console)
    studied = _report_steps(study_networks(workspace, settings, data, trained), console)
    mapped = _report_steps(draw_maps(workspace, settings, data, studied), console)
    drawn = _report_steps(
        draw_figures(workspace, settings, data, trained, studied, mapped), console
    )
    written = _report_steps(write_page(workspace, studied), console)
    steps = [step for done in (trained, studied, mapped, drawn, written) for step in done.values()]
    results = collect_results(
        settings,
        {name: step.result for name, step in trained.items()},
        {name.removeprefix("study_"): step.result for name, step in studied.items()},
        {name: step.result for name, step in mapped.items()},
        sum(step.seconds for step in steps),
    )
    write_json(workspace.path("results.json"), results)
    _print_summary(results, workspace, console)
    console.print(
        shown(
            f"Open {workspace.path(PAGE)} in a browser: every layer of both networks, to explore."
        ),
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    return results


def _report_steps(steps: Iterable[tuple[str, Step]], console: Console) -> dict[str, Step]:
    """Collect the steps as they are done, and say of each what came of it."""
    done = {}
    for name, step in steps:
        found = step.result
        what = "done before" if step.reused else f"{step.seconds:.1f} s"
        if "study" in found and not step.reused:
            what = f"from {found['study']}"
        if "test_accuracy" in found:
            what += f", test accuracy {100 * found['test_accuracy']:.2f} %"
        if "neighborhood_hit" in found:
            what += f", NH {100 * found['neighborhood_hit']:.1f} %"
        console.print(f"  {TITLES.get(name, name)}: {what}", highlight=False, markup=False)
        done[name] = step
    return done


def _dataset(settings: LabSettings) -> Dataset:
    """MNIST, or as much of it as the settings ask for."""
    whole = load_dataset("mnist")
    assert whole.test is not None
    train, test = whole.train, whole.test
    if settings.train_samples < len(train):
        train = train.sample(settings.train_samples, settings.seed)
    if settings.test_samples < len(test):
        test = test.sample(settings.test_samples, settings.seed)
    return Dataset(whole.name, train, test)


def _check_writable(folder: Path) -> None:
    if folder.is_dir() and not os.access(folder, os.W_OK):
        raise PermissionError(f"out: {folder} cannot be written to; name another folder")


def _print_summary(results: dict[str, Any], workspace: Workspace, console: Console) -> None:
    lines = [*tables(results), conclusion(results)]
    for part in lines:
        console.print()
        console.print(part, highlight=False, markup=False)
    with Path(os.devnull).open("w") as nowhere:
        text = Console(width=100, record=True, file=nowhere)
        for part in lines:
            text.print(part, highlight=False, markup=False)
            text.print()
    write_text(workspace.path("summary.txt"), text.export_text())
    console.print()
    console.print(
        shown(
            f"Everything is in {workspace.folder}; the maps side by side are "
            f"{workspace.path('figures/comparison.png')}."
        ),
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
