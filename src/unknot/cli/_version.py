"""``unknot --version --verbose``: what a report of a fault needs to say of the machine."""

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
    """Return versions, threads, BLAS and the folder of compiled kernels, a line each."""
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
    import numpy as np  # loads the library that is asked about
    from threadpoolctl import threadpool_info

    _ = np.ones((2, 2)) @ np.ones((2, 2))
    found = [each for each in threadpool_info() if each.get("user_api") == "blas"]
    return "; ".join(
        f"{each['internal_api']} {each['version']}, {each['num_threads']} threads"
        f"{', ' + each['architecture'] if each.get('architecture') else ''}"
        for each in found
    ) or ("unknown to threadpoolctl")


def _kernels() -> str:
    from .. import neighbors
    from .._parallel.kernel_cache import folder_of

    folder = folder_of(Path(neighbors.__file__).with_name("_kernels.py"))
    if folder is None:
        return "none are kept, or no folder is safe from others"
    count = len(list(folder.glob("*.kernel")))
    with suppress(ValueError, RuntimeError):  # a folder that is not in the user's home
        folder = "~" / folder.relative_to(Path.home())
    return f"{count} in {folder}"


def _packages() -> Iterator[tuple[str, str]]:
    """Yield what is installed of all that the package depends on, or can use."""
    try:
        needed = requires("unknot") or []
    except PackageNotFoundError:  # run from its source, without being installed
        needed = []
    used = [each for each in needed if not re.search(r"extra == .(bench|browser|dev|test)\b", each)]
    names = {re.split(r"[^\w.-]", each, maxsplit=1)[0].lower() for each in used} - {"unknot"}
    for name in sorted(names):
        try:
            yield distribution(name).name, version(name)
        except PackageNotFoundError:
            continue
