"""Folders that hold a model: of Hugging Face, SentenceTransformers, timm or TensorFlow."""

import json
from pathlib import Path
from typing import Any, Final

from .huggingface import load_sentence_transformer, load_timm, load_transformers
from .saved_model import load_saved_model
from .unreadable import RefusedError, check_model_file, reading

CONFIG: Final = "config.json"
MODULES: Final = "modules.json"
SAVED: Final = "saved_model.pb"
ADAPTER: Final = "adapter_config.json"
PIPELINE: Final = "model_index.json"


def load_folder(folder: Path, trusted: bool) -> Any:
    """Load the model in a folder.

    Raises
    ------
    ValueError
        If the folder holds none that can be opened, or one that can run code.
    """
    names = {path.name for path in folder.iterdir()}
    if ADAPTER in names:
        raise RefusedError(
            f"{folder} holds an adapter of PEFT, which is no model of its own. Merge it with its "
            "base model (merge_and_unload), and pass that or save it with save_pretrained"
        )
    if MODULES in names:
        return load_sentence_transformer(folder)
    if CONFIG in names:
        config = read_json(folder / CONFIG)
        if "model_type" in config or "architectures" in config or "auto_map" in config:
            return load_transformers(folder, config)
        if isinstance(config.get("architecture"), str):
            return load_timm(folder, config)
    if SAVED in names:
        return load_saved_model(folder, trusted)
    if PIPELINE in names:
        raise RefusedError(
            f"{folder} holds a pipeline of several models; name the folder of one, such as unet"
        )
    inside = ", ".join(sorted(names)[:5]) or "nothing"
    raise RefusedError(
        f"{folder} is a folder, but of no model that is known: it holds neither {CONFIG} (Hugging "
        f"Face, timm), {MODULES} (SentenceTransformers) nor {SAVED} (TensorFlow), but {inside}. "
        "Name the file of the model in it"
    )


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds a mapping."""
    check_model_file(path)
    with reading(path, "a configuration"):
        found = json.loads(path.read_bytes())
    if not isinstance(found, dict):
        raise RefusedError(f"{path} is no configuration: it holds no mapping of names to values")
    return found
