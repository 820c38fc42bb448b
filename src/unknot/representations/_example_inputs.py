"""Inputs for a model whose data are not there, made from what the model knows of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from .._typing import Array
from ._adapters.base import Adapter

N_SAMPLES: Final = 3
IMAGES: Final = (224, 32, 28, 64, 96, 128, 256, 299)
"""Sides of images, tried in this order."""
LENGTHS: Final = (16, 128, 512, 8, 1024)
SPEECH: Final = 4_000
LARGEST_ID: Final = 100
TEXTS: Final = ("one", "a second text", "the third of them")
MOST_CANDIDATES: Final = 6
"""So many layers with weights are taken for the first one."""


def example_inputs(adapter: Adapter) -> Any:
    """Return a few samples that a model accepts.

    Raises
    ------
    ValueError
        If it accepts none of those tried.
    """
    if not adapter.computes:
        return None
    tried = 0
    for inputs in _candidates(adapter):
        tried += 1
        try:
            adapter.samples(inputs)
        except Exception:  # each model refuses inputs in its own way
            continue
        return inputs
    said = f"none of the {tried} kinds of samples tried fits it" if tried else "in any way"
    raise ValueError(
        f"inputs: model {adapter.name!r} does not say what it takes, {said}; pass a few samples, "
        "as to extract"
    )


def _candidates(adapter: Adapter) -> Iterator[Any]:
    declared = adapter.declared()
    if declared:
        yield from _declared(declared, adapter.batch_size or N_SAMPLES)
        return
    model = adapter.model
    if adapter.tokenizer is not None:
        yield {key: np.asarray(part) for key, part in adapter.tokenizer(list(TEXTS)).items()}
    if hasattr(model, "config") and hasattr(model, "main_input_name"):
        yield from _of_transformers(model)
    for name in ("pretrained_cfg", "default_cfg"):  # of timm
        size = (getattr(model, name, None) or {}).get("input_size")
        if size:
            yield _numbers(tuple(size))
    for part in model.modules() if hasattr(model, "modules") and callable(model.modules) else ():
        for name in ("img_size", "image_size"):
            side = getattr(part, name, None)
            sides = (side, side) if isinstance(side, int) else side
            if isinstance(sides, tuple | list) and len(sides) == 2:
                yield _numbers((3, *map(int, sides)))
    if (width := getattr(model, "n_features_in_", None)) is not None:  # of scikit-learn
        yield _numbers((int(width),))
    if hasattr(model, "named_modules"):
        yield from _of_modules(model)


def _numbers(shape: tuple[int, ...], n: int = N_SAMPLES) -> Array:
    return np.random.default_rng(0).normal(size=(n, *shape)).astype(np.float32)


def _ids(length: int, n: int = N_SAMPLES, largest: int = LARGEST_ID) -> Array:
    return np.random.default_rng(0).integers(0, max(1, largest), (n, length))


def _declared(
    declared: Mapping[str, tuple[tuple[int | None, ...], str]], n: int
) -> Iterator[dict[str, Array] | Array]:
    """Yield inputs of the shapes that a model declares; sizes that it leaves open are tried."""
    for side in IMAGES if any(None in shape for shape, _ in declared.values()) else IMAGES[:1]:
        for length in LENGTHS[:2]:
            parts: dict[str, Array] = {}
            for name, (shape, dtype) in declared.items():
                open_size = side if len(shape) > 2 else length
                sizes = tuple(open_size if size is None else size for size in shape)
                if dtype.startswith(("int", "uint")):
                    parts[name] = np.ones((n, *sizes), dtype)
                elif dtype == "bool":
                    parts[name] = np.ones((n, *sizes), bool)
                else:
                    parts[name] = _numbers(sizes, n)
            yield parts if len(parts) > 1 else next(iter(parts.values()))


def _of_transformers(model: Any) -> Iterator[dict[str, Array]]:
    """Yield what a model of transformers takes, by the names of its inputs."""
    import inspect

    config = model.config
    taken = inspect.signature(model.forward).parameters
    parts: dict[str, Array] = {}
    vision = getattr(config, "vision_config", config)
    text = getattr(config, "text_config", config)
    largest = min(LARGEST_ID, int(getattr(text, "vocab_size", LARGEST_ID)))
    if "pixel_values" in taken:
        size = getattr(vision, "image_size", None) or IMAGES[0]
        sides = tuple(size) if isinstance(size, list | tuple) else (size, size)
        parts["pixel_values"] = _numbers((getattr(vision, "num_channels", 3), *sides))
    if "input_values" in taken:
        parts["input_values"] = _numbers((SPEECH,))
    if "input_features" in taken:
        length = 2 * int(getattr(config, "max_source_positions", LENGTHS[1]))
        parts["input_features"] = _numbers((int(getattr(config, "num_mel_bins", 80)), length))
    main = getattr(model, "main_input_name", "")
    is_text = main == "input_ids" or not parts or hasattr(config, "text_config")
    if "input_ids" in taken and is_text:
        parts["input_ids"] = _ids(LENGTHS[3], largest=largest)
    decoder = {"decoder_input_ids": _ids(LENGTHS[3], largest=largest)}
    if "decoder_input_ids" in taken:
        yield parts | decoder
    yield parts
    if main in parts:
        yield {main: parts[main]}


def _of_modules(model: Any) -> Iterator[Array]:
    """Yield inputs for the first layers with weights of a PyTorch module."""
    seen = set()
    for _, module in model.named_modules():
        weight = getattr(module, "weight", None)
        n_axes = getattr(weight, "ndim", 0)
        kind = getattr(module, "original_name", type(module).__name__)
        width = getattr(module, "input_size", None)  # of a recurrent layer
        if isinstance(width, int) and hasattr(module, "hidden_size"):
            key: Any = ("recurrent", width)
        elif n_axes < 2 or weight is None:
            continue
        elif "Embedding" in kind:
            key = ("ids", int(weight.shape[0]))
        elif "Conv" in kind and n_axes > 2:
            key = (n_axes, getattr(module, "in_channels", int(weight.shape[1])))
        else:
            key = ("vector", int(weight.shape[1]))
        if key in seen:
            continue
        seen.add(key)
        yield from _for_layer(*key)
        if len(seen) == MOST_CANDIDATES:
            return


def _for_layer(kind: Any, width: int) -> Iterator[Array]:
    if kind == "ids":
        for length in LENGTHS:
            yield _ids(length, largest=width)
        yield _ids(1, largest=width)[:, 0]
    elif kind == "recurrent":
        yield _numbers((LENGTHS[0], width))
    elif kind == "vector":
        yield _numbers((width,))
        yield _numbers((LENGTHS[0], width))
        side = round((width) ** 0.5)
        if side * side == width:  # flattened by the model
            yield _numbers((1, side, side))
        side = round((width / 3) ** 0.5)
        if 3 * side * side == width:
            yield _numbers((3, side, side))
    elif kind == 3:
        for length in LENGTHS:
            yield _numbers((width, length))
        yield _numbers((LENGTHS[0], width))
    elif kind == 4:
        for side in IMAGES:
            yield _numbers((width, side, side))
    elif kind == 5:
        yield _numbers((width, 8, 64, 64))
        yield _numbers((width, 16, 112, 112))
