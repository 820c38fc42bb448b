"""Models in folders of Hugging Face, SentenceTransformers and timm.

Their configurations can name code to be imported or downloaded. Nothing of the kind is done: such
folders are refused, and nothing is downloaded.
"""

import importlib.util
import json
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ..._extras import MissingExtraError, import_extra
from .offline import offline
from .unreadable import RefusedError, check_model_file, reading

MAX_CONFIG: Final = 2**24
"""Bytes of a configuration."""
SAFE: Final = ("model.safetensors", "model.safetensors.index.json")
PICKLED: Final = ("pytorch_model.bin", "pytorch_model.bin.index.json")
OTHER: Final = ("tf_model.h5", "flax_model.msgpack", "model.onnx")
PARTS: Final = re.compile(
    r"sentence_transformers(\.\w+)*\.(Transformer|Pooling|Normalize|Dense|LayerNorm|Dropout|CNN|"
    r"LSTM|BoW|WeightedLayerPooling|StaticEmbedding)"
)
"""Modules of SentenceTransformers that import nothing that a file names."""
ACTIVATION: Final = re.compile(r"torch\.nn\.modules\.(activation\.\w+|linear\.Identity)")
KERNEL: Final = re.compile(r".*(attn|experts)_implementation")


def load_transformers(folder: Path, config: dict[str, Any]) -> Any:
    """Load a model of transformers by the class that its configuration names."""
    _check_configurations(folder)
    transformers = _import("transformers", "Loading a folder of Hugging Face")
    torch: Any = import_extra("torch", feature="Loading a PyTorch model", extra="torch")
    with _quiet(), offline(), reading(folder, "a model of transformers"):
        found = transformers.AutoConfig.from_pretrained(
            str(folder), trust_remote_code=False, local_files_only=True
        )
        found.use_pretrained_backbone = False
        kind = _class_of(transformers, folder, config, found)
        options: dict[str, Any] = {"config": found, "dtype": "auto", "output_loading_info": True}
        if any((folder / name).exists() for name in SAFE):
            _check_shards(folder, SAFE)
            options |= {"use_safetensors": True, "local_files_only": True}
            model, info = kind.from_pretrained(str(folder), **options)
        elif any((folder / name).exists() for name in PICKLED):
            state = _pickled_state(torch, folder)
            options["dtype"] = _dtype_of(torch, found, state)
            model, info = kind.from_pretrained(None, state_dict=state, **options)
        else:
            raise _no_weights(folder, (*SAFE, *PICKLED))
    _check_complete(folder, type(model), info)
    return model.eval()


def _class_of(transformers: Any, folder: Path, config: dict[str, Any], found: Any) -> Any:
    """Return the class that saved the model; the one without a head where it does not say."""
    names = config.get("architectures") or []
    for name in names if isinstance(names, list) else []:
        kind = getattr(transformers, name, None) if isinstance(name, str) else None
        if isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel):
            return kind
        raise RefusedError(
            f"{folder} holds a {str(name)[:80]!r}, which the installed transformers does not "
            "have; update transformers, or build the model yourself and pass it"
        )
    return transformers.AutoModel


def _pickled_state(torch: Any, folder: Path) -> dict[str, Any]:
    """Load the weights of pickled files, which are checked as any file of PyTorch is."""
    from .torch import load_weights

    names = _check_shards(folder, PICKLED)
    state: dict[str, Any] = {}
    for name in names:
        state |= load_weights(torch, folder / name)
    return state


def _dtype_of(torch: Any, config: Any, state: dict[str, Any]) -> Any:
    """Return the type of the weights: what the configuration says, else what they have."""
    if (given := getattr(config, "dtype", None)) is not None:
        return given
    return next((v.dtype for v in state.values() if v.is_floating_point()), torch.float32)


def _check_shards(folder: Path, names: tuple[str, str]) -> list[str]:
    """Return the files of the weights; raise an error unless all are in the folder."""
    whole, index = names
    if (folder / whole).exists():
        check_model_file(folder / whole)
        return [whole]
    check_model_file(folder / index)
    with reading(folder / index, "an index of weights"):
        files = sorted(set(json.loads((folder / index).read_bytes())["weight_map"].values()))
    for name in files:
        if not isinstance(name, str) or Path(name).name != name or "\\" in name:
            raise RefusedError(
                f"{folder / index} names weights in {str(name)[:100]!r}, which is not in its "
                "folder; files outside it are not read"
            )
        check_model_file(folder / name)
    return files


def _check_complete(folder: Path, kind: Any, info: Any) -> None:
    """Raise an error if weights were drawn at random since the files lack them."""
    lacking = sorted(map(str, info["missing_keys"])) + [
        str(entry[0]) for entry in info["mismatched_keys"]
    ]
    if lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise RefusedError(
            f"{folder} lacks weights of {kind.__name__}, or has them in other shapes: "
            f"{', '.join(lacking[:3])}{more}. They would be random numbers; save the whole model "
            "with save_pretrained"
        )
    if unused := sorted(map(str, info["unexpected_keys"])):
        warnings.warn(
            f"{folder}: {len(unused)} weights belong to no part of {kind.__name__} and are not "
            f"used, such as {unused[0]}",
            stacklevel=2,
        )


def load_sentence_transformer(folder: Path) -> Any:
    """Load a SentenceTransformer whose modules are its own library's."""
    _check_configurations(folder)
    with reading(folder / "modules.json", "a list of modules"):
        check_model_file(folder / "modules.json")
        modules = json.loads((folder / "modules.json").read_bytes())
        parts = [(str(part["type"]), str(part["path"])) for part in modules]
    for kind, path in parts:
        if PARTS.fullmatch(kind) is None:
            raise RefusedError(
                f"{folder} has a module of the type {kind[:100]!r}, which would be imported, and "
                "can run any code. Load the model yourself and pass it if you trust its author"
            )
        if Path(path).is_absolute() or ".." in Path(path).parts or "\\" in path:
            raise RefusedError(f"{folder} keeps a module in {path[:100]!r}, outside its folder")
    library = _import("sentence_transformers", "Loading a folder of SentenceTransformers")
    torch: Any = import_extra("torch", feature="Loading a PyTorch model", extra="torch")
    from .torch import load_weights

    for pickled in folder.rglob("*.bin"):
        load_weights(torch, pickled)  # raises an error for what is more than weights
    with _quiet(), offline(), reading(folder, "a SentenceTransformer"):
        model = library.SentenceTransformer(
            str(folder), device="cpu", trust_remote_code=False, local_files_only=True
        )
        for module, (kind, path) in zip(model, parts, strict=True):
            if kind.endswith(".Transformer"):
                _check_transformer(folder / path, module)
    return model.eval()


def _check_transformer(folder: Path, module: Any) -> None:
    """Raise an error if weights are lacking; take out an output that nothing uses."""
    model = getattr(module, "model", None) or module.auto_model
    kind = type(model)
    _, info = kind.from_pretrained(
        str(folder), config=model.config, local_files_only=True, output_loading_info=True
    )
    lacking = [name for name in info["missing_keys"] if not str(name).startswith("pooler.")]
    if len(lacking) < len(info["missing_keys"]):
        model.pooler = None  # it would return random numbers
    _check_complete(folder, kind, {**dict(info), "missing_keys": lacking, "unexpected_keys": ()})


def load_timm(folder: Path, config: dict[str, Any]) -> Any:
    """Load a model of timm by the architecture that its configuration names."""
    timm = _import("timm", "Loading a folder of timm")
    torch: Any = import_extra("torch", feature="Loading a PyTorch model", extra="torch")
    from .torch import fitted, load_weights

    names = [name for name in (SAFE[0], PICKLED[0]) if (folder / name).exists()]
    if not names:
        raise _no_weights(folder, (SAFE[0], PICKLED[0]))
    check_model_file(folder / names[0])
    with _quiet(), offline(), reading(folder, "a model of timm"):
        options = {"num_classes": config.get("num_classes"), **(config.get("model_args") or {})}
        options = {key: value for key, value in options.items() if value is not None}
        refused = {"pretrained", "checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay"}
        if wrong := sorted(refused & set(options)):
            raise RefusedError(f"{folder}/config.json gives {', '.join(wrong)}, which loads files")
        architecture = config["architecture"]
        if not timm.is_model(architecture):
            raise RefusedError(f"{folder}: timm has no architecture {architecture[:80]!r}")
        model = timm.create_model(architecture, pretrained=False, **options)
        return fitted(torch, folder / names[0], model, load_weights(torch, folder / names[0]))


def _no_weights(folder: Path, names: tuple[str, ...]) -> RefusedError:
    other = [name for name in OTHER if (folder / name).exists()]
    hint = f", but {other[0]}" if other else ""
    return RefusedError(
        f"{folder} holds no weights: there is neither {' nor '.join(names)}{hint}. Save the model "
        "with save_pretrained"
    )


def _check_configurations(folder: Path) -> None:
    """Raise an error if a configuration in a folder names code."""
    for path in sorted([*folder.rglob("*config*.json"), *folder.rglob("modules.json")]):
        check_model_file(path)
        if path.stat().st_size > MAX_CONFIG:
            raise RefusedError(f"{path} has more than {MAX_CONFIG:,} bytes, for a configuration")
        with reading(path, "a configuration"):
            entries = list(_entries(json.loads(path.read_bytes())))
        for key, value in entries:
            if (reason := _runs_code(key, value)) is not None:
                raise RefusedError(
                    f"{path} {reason}, which can run any code. Nothing of it is run: load the "
                    "model yourself and pass it if you trust its author"
                )


def _runs_code(key: str, value: Any) -> str | None:
    if key == "auto_map" and value:
        return "names code of its own (auto_map)"
    if key in ("trust_remote_code", "custom_pipelines") and value:
        return f"asks for code of its own ({key})"
    if KERNEL.fullmatch(key) and re.search("[/:]", json.dumps(value)):
        return f"names a kernel to be downloaded ({key})"
    is_import = key == "activation_function" and isinstance(value, str) and "." in value
    if is_import and ACTIVATION.fullmatch(value) is None:
        return f"names a function to be imported ({value[:80]})"
    return None


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield all keys and values of nested mappings."""
    pending = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            yield from part.items()
            pending += part.values()
        elif isinstance(part, list):
            pending += part


def _import(module: str, feature: str) -> Any:
    package = module.replace("_", "-")
    if importlib.util.find_spec(module) is None:
        raise MissingExtraError(
            f"{feature} needs {package}, which is not installed. Install it with: pip install "
            f"{package}"
        )
    return importlib.import_module(module)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress warnings and logs, and restore the level of the logs."""
    loggers = [logging.getLogger(name) for name in ("transformers", "sentence_transformers")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
