"""Maps beside t-SNE's, as options name them: estimators, and files of maps."""

import ast
import importlib
import inspect
from pathlib import Path
from typing import Any, Final

from .._io.npy import UnreadableError, open_npz
from .._io.text import did_you_mean
from .._typing import Array

# What to install for a module of another name.
_PACKAGES: Final = {"umap": "umap-learn", "sklearn": "scikit-learn", "openTSNE": "opentsne"}
_EXAMPLE: Final = 'such as umap.UMAP, or with arguments "UMAP 50=umap.UMAP(n_neighbors=50)"'


def mappers_of(given: list[str] | None, random_state: int) -> dict[str, Any] | None:
    """Make the estimators that a person names; None for none.

    A text is the class of an installed module, perhaps with arguments, which are plain values, and
    perhaps after a name. A class that takes a `random_state` gets the one given unless the text
    has one.

    Raises
    ------
    ValueError
        If there is no such module or class, or it takes no such arguments.
    """
    found: dict[str, Any] = {}
    for text in given or []:
        name, path, arguments = _parsed(text)
        kind = _imported(path)
        name = name or path.rpartition(".")[2]
        if name in found:
            raise ValueError(f"--mapper: two are called {name!r}; name one, such as 'other={path}'")
        if "random_state" in _parameters(kind):
            arguments.setdefault("random_state", random_state)
        try:
            found[name] = kind(**arguments)
        except (TypeError, ValueError) as error:
            raise ValueError(f"--mapper: {path} does not take these arguments: {error}") from error
    return found or None


def maps_of(given: list[str] | None) -> dict[str, dict[str, Array]] | None:
    """Read the maps of layers from files that a person names; None for none.

    Raises
    ------
    ValueError
        If one is no name with a file, or a file cannot be read.
    """
    found: dict[str, dict[str, Array]] = {}
    for text in given or []:
        name, _, file = text.partition("=")
        if not name or not file:
            raise ValueError(
                f"--maps must be a name and an .npz file, such as UMAP=umap.npz; got {text!r}"
            )
        if name in found:
            raise ValueError(f"--maps: two are called {name!r}; give one another name")
        try:
            with open_npz(Path(file).expanduser()) as archive:
                found[name] = {layer: archive.read(layer) for layer in archive.names}
        except FileNotFoundError as error:
            raise FileNotFoundError(f"--maps: {file}: no such file") from error
        except (UnreadableError, OSError) as error:
            raise ValueError(
                f"--maps: {file} {error}; write it with numpy.savez(path, **{{layer: map_}})"
            ) from error
    return found or None


def _parsed(text: str) -> tuple[str, str, dict[str, Any]]:
    """Return the name, the dotted path and the arguments of an estimator."""
    head, parenthesis, rest = text.partition("(")
    name, _, path = head.rpartition("=")
    try:
        parsed = ast.parse(f"{path.strip()}{parenthesis}{rest}", mode="eval").body
        arguments = {}
        if isinstance(parsed, ast.Call):
            if parsed.args or any(each.arg is None for each in parsed.keywords):
                raise ValueError("arguments need names")
            for each in parsed.keywords:
                arguments[str(each.arg)] = ast.literal_eval(each.value)
            parsed = parsed.func
        dotted = ast.unparse(parsed)
        if "." not in dotted or not all(part.isidentifier() for part in dotted.split(".")):
            raise ValueError("it names no class of a module")
    except (SyntaxError, ValueError, TypeError) as error:
        why = "it cannot be read" if isinstance(error, SyntaxError) else error
        raise ValueError(
            f"--mapper must be a class of an installed module, {_EXAMPLE}; got {text!r}: {why}"
        ) from error
    return name.strip(), dotted, arguments


def _imported(path: str) -> Any:
    """Import the class of a dotted path."""
    source, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(source)
    except ImportError as error:
        package = source.partition(".")[0]
        raise ValueError(
            f"--mapper: {source} cannot be imported ({error}); "
            f"pip install {_PACKAGES.get(package, package)}"
        ) from error
    kind = getattr(module, name, None)
    if not isinstance(kind, type):
        classes = [each for each, value in vars(module).items() if isinstance(value, type)]
        raise ValueError(f"--mapper: {source} has no class {name!r}{did_you_mean(name, classes)}")
    return kind


def _parameters(kind: type) -> Any:
    try:
        return inspect.signature(kind).parameters
    except ValueError:
        return {}
