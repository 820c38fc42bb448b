"""The function `run_lab`."""

import os
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
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
    """Run the five exercises of the lab on MNIST in one folder.

    Trains three networks, saves them in all formats and reloads them; studies the perceptron and
    LeNet layer by layer; maps and measures the pixels and the hidden layers; draws the figures; and
    writes the interactive page of both networks. Finished steps are reused unless their settings
    have changed. An interrupted run continues where it stopped; training resumes from its last
    checkpoint.

    Parameters
    ----------
    out : path-like, default="lab"
        Output folder. It receives ``models/``, ``histories/``, ``predictions/``, ``studies/``,
        ``representations/``, ``maps/``, ``figures/``, ``report.html``, ``results.json`` and
        ``summary.txt``.
    quick : bool, default=False
        Run a subset on fewer images and epochs, which takes seconds. The output lists what is left
        out. Use it to test an installation.
    random_state : int, default=0
        Seed of weights, batches, sampling and maps.
    backend : {"tensorflow", "jax", "torch"}, default=None
        Keras backend. Default: the one that Keras is configured for, or the first one installed.
    settings : LabSettings, default=None
        All settings in detail. Overrides `quick`, `random_state` and `backend`.
    console : rich.console.Console, default=None
        Console for progress, tables and conclusion. Default: standard output.

    Returns
    -------
    dict
        The contents of ``results.json``: ``models``, ``studies``, ``maps``, ``settings``,
        ``versions`` and ``seconds_total``, the duration of all steps including reused ones.

    Raises
    ------
    ValueError
        If a setting is out of range.
    FileExistsError
        If the folder contains something other than a lab.
    OSError
        If the folder cannot be written to, or another process is running a lab in it.
    MissingExtraError
        If Keras or the backend is not installed.
    KeyboardInterrupt
        On Ctrl-C. Finished steps are kept, and the next run reuses them.

    See Also
    --------
    LabSettings : The settings in detail.
    unknot.study : Study any model on any labeled data.
    unknot.report.write_report : Write the page of a study.

    Examples
    --------
    Training takes from seconds to minutes, so this example is not run:

    >>> from unknot.lab import run_lab
    >>> results = run_lab("my-lab", quick=True)  # doctest: +SKIP
    >>> results["models"]["lenet"]["test_accuracy"]  # doctest: +SKIP
    0.96
    """
    # The images are read while Keras is imported.
    reader = ThreadPoolExecutor(1, "unknot-reading")
    mnist = reader.submit(load_dataset, "mnist")
    reader.shutdown(wait=False)
    if settings is None:
        seed = check_integer(random_state, "random_state", 0, 2**31 - 1, "from 0 to 2**31 - 1")
        import_keras(backend, feature="The lab")
        backend = configured_backend() or "tensorflow"
        settings = LabSettings.quick(seed, backend) if quick else LabSettings(seed, backend)
    import_keras(settings.backend, feature="The lab")
    folder = Path(out)
    _check_writable(folder)
    claim(folder, FORMAT)
    with locked(folder):
        return _run(Workspace(folder), settings, mnist, console or Console())


def _run(
    workspace: Workspace, settings: LabSettings, mnist: Future[Dataset], console: Console
) -> dict[str, Any]:
    from ._compiling import compile_in_background
    from ._figures import draw_figures
    from ._maps import MAPS, draw_maps, split_of_map
    from ._networks import train_networks
    from ._studies import PAGE, study_networks, write_page

    data = _sampled(mnist.result(), settings)
    console.print(
        shown(f"The lab on MNIST, with Keras on {settings.backend}, into {workspace.folder}"),
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if settings.left_out:
        console.print(settings.left_out, markup=False)

    compile_in_background(split_of_map(MAPS[0], settings, data))
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
    """Run the steps, print the outcome of each, and return them by name."""
    done = {}
    for name, step in steps:
        result = step.result
        outcome = "done before" if step.reused else f"{step.seconds:.1f} s"
        if "study" in result and not step.reused:
            outcome = f"from {result['study']}"
        if "test_accuracy" in result:
            outcome += f", test accuracy {100 * result['test_accuracy']:.2f} %"
        if "neighborhood_hit" in result:
            outcome += f", NH {100 * result['neighborhood_hit']:.1f} %"
        console.print(f"  {TITLES.get(name, name)}: {outcome}", highlight=False, markup=False)
        done[name] = step
    return done


def _sampled(mnist: Dataset, settings: LabSettings) -> Dataset:
    """Return MNIST, subsampled to the sizes in the settings."""
    assert mnist.test is not None
    train, test = mnist.train, mnist.test
    if settings.train_samples < len(train):
        train = train.sample(settings.train_samples, settings.random_state)
    if settings.test_samples < len(test):
        test = test.sample(settings.test_samples, settings.random_state)
    return Dataset(mnist.name, train, test)


def _check_writable(folder: Path) -> None:
    if folder.is_dir() and not os.access(folder, os.W_OK):
        raise PermissionError(f"out: {folder} cannot be written to; name another folder")


def _print_summary(results: dict[str, Any], workspace: Workspace, console: Console) -> None:
    parts = [*tables(results), conclusion(results)]
    for part in parts:
        console.print()
        console.print(part, highlight=False, markup=False)
    with Path(os.devnull).open("w") as null:
        text = Console(width=100, record=True, file=null)
        for part in parts:
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
