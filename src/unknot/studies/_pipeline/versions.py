"""The versions of the libraries that a study was made with."""

from importlib import metadata
from platform import python_version

from ... import __version__

_LIBRARIES = ("keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "onnxruntime")
_ALWAYS = ("numpy", "scipy", "numba", "scikit-learn", "zarr")


def versions() -> dict[str, str]:
    """Return the versions of this package, of Python and of the libraries installed."""
    found = {"unknot": __version__, "python": python_version()}
    for name in (*_LIBRARIES, *_ALWAYS):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # optional
    return found
