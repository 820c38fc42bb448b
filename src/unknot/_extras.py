"""Import optional dependencies when used; name the pip command if one is missing."""

import importlib
import importlib.util
from types import ModuleType


class MissingExtraError(ImportError):
    """An optional dependency is not installed; the message has the pip command."""


def import_extra(module: str, *, feature: str, extra: str) -> ModuleType:
    """Import an optional dependency.

    Parameters
    ----------
    module : str
        The module's name, such as ``"yaml"``.
    feature : str
        What needs it, as the subject of a sentence, such as ``"Saving an architecture as YAML"``.
    extra : str
        The extra of this package that installs it.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    if importlib.util.find_spec(module.partition(".")[0]) is None:
        raise missing_extra(module, feature=feature, extra=extra)
    return importlib.import_module(module)


def missing_extra(module: str, *, feature: str, extra: str) -> MissingExtraError:
    """Return the error for a missing optional dependency."""
    return MissingExtraError(
        f"{feature} needs {module}, which is not installed. "
        f'Install it with: pip install "unknot[{extra}]"'
    )
