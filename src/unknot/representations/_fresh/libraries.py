"""Modules of known libraries, built again with fresh weights; nothing is downloaded."""

import copy
import inspect
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

Build = tuple[Callable[[], Any], str]

TRANSFORMERS: Final = "transformers: "
TIMM: Final = "timm.create_model"
TORCHVISION: Final = "torchvision.models."
EXACT: Final = (TRANSFORMERS, TIMM, TORCHVISION)
"""How a library's own builder begins; these load nothing."""
WHOLE: Final = ("torchvision", "timm", "transformers", "diffusers", "peft")
"""Libraries whose models draw the weights of their parts."""
RESTING: Final = ("torchvision.ops.",)
"""Modules of these libraries that leave weights as PyTorch draws them."""


def name_of(kind: type) -> str:
    """Return the package that a class is from."""
    return kind.__module__.partition(".")[0]


def is_part(torch: Any, module: Any) -> bool:
    """Whether a module is a part of a library's model, or a graph of one."""
    kind = type(module)
    if isinstance(module, torch.fx.GraphModule):
        return True
    if kind.__module__.startswith(RESTING) or name_of(kind) not in WHOLE:
        return False
    return not (name_of(kind) == "timm" and hasattr(module, "init_weights"))


def refusal(torch: Any, module: Any) -> str | None:
    """Return why a model has no fresh weights as it stands, or None."""
    for path, inner in module.named_modules():
        kind = type(inner)
        if name_of(kind) == "peft":
            return (
                f"{path or kind.__name__} is an adapter of PEFT; merge it first "
                "(model.merge_and_unload())"
            )
        if isinstance(inner, torch.jit.ScriptModule):
            return f"{path or kind.__name__} is TorchScript, which does not record it"
    return None


def builds(torch: Any, module: Any) -> Iterator[Build]:
    """Yield the functions that build a library's model again, most likely first."""
    transformers = sys.modules.get("transformers")
    if transformers is not None and isinstance(module, transformers.PreTrainedModel):
        yield from _transformers(module)
    elif _architecture(module) is not None:
        yield from _timm(torch, module)
    elif type(module).__module__.startswith(TORCHVISION):
        yield from _torchvision(torch, module)


def _transformers(module: Any) -> Iterator[Build]:
    kind: Any = type(module)
    config = copy.deepcopy(module.config)
    for part in (config, *_inner_configs(config)):
        if getattr(part, "use_pretrained_backbone", False):
            part.use_pretrained_backbone = False
    # Only the weights are taken, so any implementation of attention will do.
    config._attn_implementation = "eager"
    how = f"{TRANSFORMERS}{kind.__name__}(config)"
    yield partial(kind, config), how
    if "add_pooling_layer" in inspect.signature(kind.__init__).parameters:
        yield partial(kind, config, add_pooling_layer=False), how


def _inner_configs(config: Any) -> Iterator[Any]:
    for value in vars(config).values():
        if hasattr(value, "to_dict"):
            yield value
            yield from _inner_configs(value)


def _architecture(module: Any) -> str | None:
    if name_of(type(module)) != "timm":
        return None
    given = getattr(module, "pretrained_cfg", None) or getattr(module, "default_cfg", None)
    found = (
        given.get("architecture")
        if isinstance(given, dict)
        else getattr(given, "architecture", None)
    )
    return found if isinstance(found, str) else None


def _timm(torch: Any, module: Any) -> Iterator[Build]:
    timm: Any = sys.modules["timm"]
    architecture = _architecture(module)
    options: dict[str, Any] = {}
    if isinstance(classes := getattr(module, "num_classes", None), int):
        options["num_classes"] = classes
    first = next((part for part in module.modules() if isinstance(part, torch.nn.Conv2d)), None)
    if first is not None and first.in_channels != 3:
        options["in_chans"] = first.in_channels
    if "_features" in type(module).__module__:
        options = {**options, "features_only": True}
        options.pop("num_classes", None)
    patches = getattr(module, "patch_embed", None)
    sizes = {
        option: getattr(patches, option)
        for option in ("img_size", "patch_size")
        if getattr(patches, option, None) is not None
    }
    pooling = getattr(module, "global_pool", None)
    pooling = pooling if isinstance(pooling, str) else getattr(pooling, "pool_type", None)
    pooled = {"global_pool": pooling} if isinstance(pooling, str) else {}
    seen: list[dict[str, Any]] = []
    image = {name: sizes[name] for name in ("img_size",) if name in sizes}
    for extra in ({**sizes, **pooled}, sizes, {**image, **pooled}, image, pooled, {}):
        chosen = {**options, **extra}
        if chosen in seen:
            continue
        seen.append(chosen)
        given = "".join(f", {name}={value!r}" for name, value in chosen.items())

        build = partial(timm.create_model, architecture, pretrained=False, **chosen)
        if _score(torch, module, build):
            yield build, f"{TIMM}({architecture!r}{given})"


def _torchvision(torch: Any, module: Any) -> Iterator[Build]:
    """Yield the builders in the module of the class; first those of all the same shapes."""
    models: Any = sys.modules["torchvision.models"]
    outputs = [
        getattr(part, "out_features", None) or getattr(part, "out_channels", None)
        for part in module.modules()
    ]
    classes = next((size for size in reversed(outputs) if isinstance(size, int)), None)
    side = getattr(module, "image_size", None)
    image = {"image_size": side} if isinstance(side, int) else {}
    auxiliary = getattr(module, "aux_classifier", getattr(module, "AuxLogits", None)) is not None
    found = []
    for name in models.list_models():
        builder = models.get_model_builder(name)
        if builder.__module__ != type(module).__module__:
            continue
        parameters = inspect.signature(builder).parameters
        fixed: dict[str, Any] = {"weights": None}
        if "weights_backbone" in parameters:
            fixed["weights_backbone"] = None
        if "aux_loss" in parameters:
            fixed["aux_loss"] = auxiliary
        for options in ({}, {"num_classes": classes}):
            chosen = {**options, **image}

            build = partial(builder, **fixed, **chosen)
            if score := _score(torch, module, build):
                text = ", ".join(f"{key}={value}" for key, value in chosen.items())
                found.append((score, f"{TORCHVISION}{name}" + (f"({text})" if text else ""), build))
    found.sort(key=lambda entry: -entry[0])
    for _, how, build in found[:2]:
        yield build, how


def _score(torch: Any, module: Any, build: Callable[[], Any]) -> float:
    """Return the share of weights of the same name and shape; 0 if it cannot be built."""

    class Shapes(torch.overrides.TorchFunctionMode):  # type: ignore[misc]
        """Parameters get shapes and no memory; numbers that a builder computes with do."""

        def __torch_function__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            kwargs = dict(kwargs or {})
            if function is torch.empty:
                kwargs["device"] = "meta"
            return function(*args, **kwargs)

    try:
        try:
            with Shapes():
                built = build()
        except (NotImplementedError, RuntimeError):
            built = build()  # it computes with its weights
    except Exception:  # this builder does not take these options
        return 0.0
    there = {name: value.shape for name, value in built.named_parameters()}
    here = {name: value.shape for name, value in module.named_parameters()}
    same = sum(there.get(name.replace("_orig_mod.", "")) == shape for name, shape in here.items())
    return float(same) / max(len(there), len(here), 1)
