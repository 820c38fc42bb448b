"""``unknot --version --verbose``: the environment, for bug reports."""

import platform
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from pathlib import Path

from .. import __version__
from .._parallel.n_jobs import resolve_n_jobs


def describe() -> str:
    """Return versions, threads, BLAS and the kernel cache, one per line."""
    rows = [
        ("unknot", __version__),
        ("Python", f"{platform.python_version()} ({sys.implementation.name})"),
        ("system", platform.platform()),
        ("processor", f"{platform.machine()}, {resolve_n_jobs(None)} threads"),
        ("BLAS", _blas()),
        ("compiled kernels", _kernels()),
        *_packages(),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {message}" for name, message in rows)


def _blas() -> str:
    import numpy as np  # loads the BLAS library
    from threadpoolctl import threadpool_info

    _ = np.ones((2, 2)) @ np.ones((2, 2))
    libraries = [library for library in threadpool_info() if library.get("user_api") == "blas"]
    return "; ".join(
        f"{library['internal_api']} {library['version']}, {library['num_threads']} threads"
        f"{', ' + library['architecture'] if library.get('architecture') else ''}"
        for library in libraries
    ) or ("unknown to threadpoolctl")


def _kernels() -> str:
    from .. import neighbors
    from .._parallel.private_files import folder_of

    folder = folder_of(Path(neighbors.__file__).with_name("_kernels.py"))
    if folder is None:
        return "not cached: disabled, or no private folder"
    count = len(list(folder.glob("*.kernel")))
    with suppress(ValueError, RuntimeError):  # not inside the home folder
        folder = "~" / folder.relative_to(Path.home())
    return f"{count} in {folder}"


def _packages() -> Iterator[tuple[str, str]]:
    """Yield the installed dependencies, required and optional, with their versions."""
    try:
        needed = requires("unknot") or []
    except PackageNotFoundError:  # run from source, not installed
        needed = []
    used = [item for item in needed if not re.search(r"extra == .(bench|browser|dev|test)\b", item)]
    names = {re.split(r"[^\w.-]", item, maxsplit=1)[0].lower() for item in used} - {"unknot"}
    for name in sorted(names):
        try:
            yield distribution(name).name, version(name)
        except PackageNotFoundError:
            continue
