"""Optional dependencies: imported when used, and named with their pip command when missing."""

import importlib
import importlib.util
from types import ModuleType


class MissingExtraError(ImportError):
    """An optional dependency that the feature asked for needs is not installed."""


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
        With the feature and the exact pip command.
    """
    if importlib.util.find_spec(module.partition(".")[0]) is None:
        raise missing_extra(module, feature=feature, extra=extra)
    return importlib.import_module(module)


def missing_extra(module: str, *, feature: str, extra: str) -> MissingExtraError:
    """Build the error for an optional dependency that is not there."""
    return MissingExtraError(
        f"{feature} needs {module}, which is not installed. "
        f'Install it with: pip install "unknot[{extra}]"'
    )
