"""Load PyTorch files: exported programs, TorchScript, weights, and pickles if trusted."""

import importlib
import importlib.util
import io
import logging
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ..._extras import MissingExtraError, import_extra
from .archives import MAGIC, Archive, kind_of
from .pickles import check_stream, check_tensors
from .programs import checked_program
from .scripts import check_graphs, checked_script
from .unreadable import RefusedError, check_model_file, reading

STATE_KEYS: Final = ("state_dict", "model_state_dict", "model")
"""The keys under which training scripts save the weights."""
SAFETENSORS: Final = ".safetensors"

Factory = str | Callable[[], Any]


def load_torch(file: Path, factory: Factory | None, trust_pickle: bool) -> Any:
    """Load a module or exported program, or weights into the model that a factory builds.

    Files that are not trusted are loaded from content that was read once and checked.
    """
    torch: Any = import_extra("torch", feature="Loading a PyTorch model", extra="torch")
    if file.suffix.lower() == SAFETENSORS:
        with reading(file, "safetensors"):
            content = _load_safetensors(file)
        return _with_weights(torch, file, content, factory)
    with _quiet(), reading(file, "a PyTorch model"), file.open("rb") as stream:
        archive = Archive(file, stream) if stream.read(len(MAGIC)) == MAGIC else None
        if archive is not None and kind_of(archive.names) == "program":
            return _load_program(torch, archive, trust_pickle)
        if archive is not None and kind_of(archive.names) == "script":
            return _load_script(torch, archive, trust_pickle)
        content = _load_pickle(torch, file, stream, archive, trust_pickle)
    if isinstance(content, torch.nn.Module):
        return content.eval()
    return _with_weights(torch, file, content, factory)


def _load_program(torch: Any, archive: Archive, trusted: bool) -> Any:
    with reading(archive.file, "a PyTorch program"), _collected_errors() as logged:
        try:
            if trusted:
                program = torch.export.load(str(archive.file))
            else:
                with checked_program(torch, archive) as path:
                    program = torch.export.load(str(path))
        except RuntimeError as error:
            # The loader logs why it cannot read the current format, then tries the older one.
            is_current = "archive_format" in archive.names
            raise (logged[0] if logged and is_current else error) from error
        program.module()  # raises here if damaged, not when it is run
        return program


def _load_script(torch: Any, archive: Archive, trusted: bool) -> Any:
    with reading(archive.file, "a PyTorch script"):
        if trusted:
            return torch.jit.load(str(archive.file), "cpu")
        with checked_script(torch, archive) as path:
            module = torch.jit.load(str(path), "cpu")
        check_graphs(torch, archive.file, module)
        return module


def _load_pickle(
    torch: Any, file: Path, stream: io.BufferedReader, archive: Archive | None, trusted: bool
) -> Any:
    """Load a file of `torch.save`; anything but weights only if it is trusted."""
    if archive is not None and not trusted:
        archive.check()
        if "data.pkl" not in archive.names:
            raise RefusedError(
                f"{file} is an archive, but not of a kind that PyTorch writes; it contains "
                f"{', '.join(map(repr, archive.names[:3]))[:200]}"
            )
        archive.verify()
        check_tensors(archive, "data.pkl")
    stream.seek(0)
    if archive is None and not trusted:
        check_stream(stream)
        stream.seek(0)
    try:
        return torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not trusted:
            raise RefusedError(
                f"{file} is a pickle that can run any code when it is loaded. Save the weights "
                "(state_dict) and name a factory, save it with torch.export or TorchScript, or "
                "pass trust_pickle=True (--trust-pickle) if you trust its author"
            ) from error
    stream.seek(0)
    return torch.load(stream, map_location="cpu", weights_only=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress warnings, such as about pickle protocols and the deprecation of TorchScript."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _collected_errors() -> Iterator[list[Exception]]:
    """Collect the errors that PyTorch's program loader logs instead of raising."""
    errors: list[Exception] = []

    def keep(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, Exception):
            errors.append(error)
        return False

    logger = logging.getLogger("torch.export")
    logger.addFilter(keep)
    try:
        yield errors
    finally:
        logger.removeFilter(keep)


def load_weights(torch: Any, file: Path) -> dict[str, Any]:
    """Return the tensors of a file that is not trusted, by name."""
    with reading(file, "weights of PyTorch"):
        check_model_file(file)
        if file.suffix.lower() == SAFETENSORS:
            content: Any = _load_safetensors(file)
        else:
            with _quiet(), file.open("rb") as stream:
                is_archive = stream.read(len(MAGIC)) == MAGIC
                archive = Archive(file, stream) if is_archive else None
                content = _load_pickle(torch, file, stream, archive, False)
    return _state_of(torch, file, content)


def _load_safetensors(file: Path) -> Any:
    if importlib.util.find_spec("safetensors") is None:
        raise MissingExtraError(
            "Loading safetensors needs safetensors, which is not installed. Install it with: "
            "pip install safetensors"
        )
    return importlib.import_module("safetensors.torch").load_file(str(file))


def _state_of(torch: Any, file: Path, content: Any) -> dict[str, Any]:
    """Return the weights in what a file holds, by name."""
    state = content
    if isinstance(state, Mapping):
        for key in STATE_KEYS:
            if isinstance(state.get(key), Mapping):
                state = state[key]
    if not isinstance(state, Mapping) or not any(torch.is_tensor(v) for v in state.values()):
        raise ValueError(
            f"{file} contains neither a model nor weights; got {type(content).__name__}"
        )
    return dict(state)


def _with_weights(torch: Any, file: Path, content: Any, factory: Factory | None) -> Any:
    state = _state_of(torch, file, content)
    if factory is None:
        raise ValueError(
            f"{file} contains weights and no model; name a function that builds the model, such "
            'as factory="my_module:make_model" (--factory my_module:make_model)'
        )
    model = _call_factory(factory)
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"factory must return a PyTorch module; got {type(model).__name__}")
    try:
        return fitted(torch, file, model, state)
    except RefusedError:
        raise
    except Exception as error:  # entries of a state_dict may be anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{file} does not fit the model that {factory} builds: {reason[:300]}"
        ) from error


def fitted(torch: Any, file: Path, model: Any, state: dict[str, Any]) -> Any:
    """Load weights into a model, in evaluation mode.

    All names may have one prefix more than the model's, as Lightning, DataParallel and
    `torch.compile` give them; other entries, such as those of a loss, are then left out. Entries
    that share the memory of others may be missing.
    """
    own = model.state_dict()
    if set(state) != set(own):
        depths = {name[: place + 1] for name in state for place in _dots(name)}
        chosen = {
            prefix: {name[len(prefix) :]: state[name] for name in state if name.startswith(prefix)}
            for prefix in sorted(depths)
        }
        fitting = [prefix for prefix, part in chosen.items() if set(part) == set(own)]
        if len(fitting) > 1:
            raise RefusedError(
                f"{file} holds the weights {len(fitting)} times, under "
                f"{' and '.join(map(repr, fitting))}; save those that you mean"
            )
        if fitting:
            state = chosen[fitting[0]]
    found = model.load_state_dict(state, strict=False)
    loaded = {value.data_ptr() for name, value in own.items() if name in state and value.numel()}
    missing = [name for name in found.missing_keys if own[name].data_ptr() not in loaded]
    if missing or found.unexpected_keys:
        model.load_state_dict(state)  # raises an error that names them
    return model.eval()


def _dots(name: str) -> Iterator[int]:
    return (place for place, letter in enumerate(name) if letter == ".")


def _call_factory(factory: Factory) -> Any:
    if not isinstance(factory, str):
        return factory()
    source, _, name = factory.rpartition(":")
    if not source or not name:
        raise ValueError(f'factory must be "module:function"; got {factory!r}')
    if source.endswith(".py"):
        spec = importlib.util.spec_from_file_location(Path(source).stem, source)
        if spec is None or spec.loader is None or not Path(source).is_file():
            raise ValueError(f"factory: there is no file {source}")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    else:
        here = str(Path.cwd())
        sys.path.insert(0, here)
        try:
            module = importlib.import_module(source)
        except ModuleNotFoundError as error:
            raise ValueError(f"factory: there is no module {source!r} ({error})") from error
        finally:
            sys.path.remove(here)
    if not callable(function := getattr(module, name, None)):
        raise ValueError(f"factory: {source} has no function {name!r}")
    return function()
