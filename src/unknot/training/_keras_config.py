"""Check a Keras configuration before Keras builds anything from it.

Keras has a safe mode of its own, in which holes were found and closed more than once. So the
classes and functions that a configuration may name are listed here.
"""

import io
import json
from pathlib import Path
from typing import Any, Final

YAML_BYTES: Final = 2**22
"""Parsing YAML takes seconds per million characters."""
MAX_ENTRIES: Final = 4_000_000
ENTRIES_PER_NODE: Final = 20
"""What a list or mapping counts for besides its entries; the largest known have 50,000 of them."""

RUNS_CODE: Final = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "__lambda__", "__typespec__")
VALUES: Final = (
    *("__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__", "__keras_tensor__"),
    *("__tuple__", "TensorShape"),
)
FUNCTION_MODULES: Final = ("activations", "losses", "metrics", "ops")
CLASS_MODULES: Final = (
    *("layers", "models", "initializers", "regularizers", "constraints", "losses", "metrics"),
    *("optimizers", "optimizers.schedules", "dtype_policies", "quantizers", "random"),
)
BASES: Final = (
    *("Operation", "losses.Loss", "metrics.Metric", "optimizers.Optimizer"),
    *("optimizers.schedules.LearningRateSchedule", "initializers.Initializer"),
    *("regularizers.Regularizer", "constraints.Constraint", "dtype_policies.DTypePolicy"),
    *("quantizers.Quantizer", "random.SeedGenerator"),
)


class RefusedError(ValueError):
    """A file's content is refused; the message gives the reason, without the file's name."""


def parse_config(text: bytes | str) -> dict[str, Any]:
    """Parse a configuration in JSON.

    Raises
    ------
    RefusedError
        If it is not the configuration of a model.
    """
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise RefusedError(f"its configuration is not plain JSON ({reason})") from error
    return check_model_keys(config)


def check_model_keys(config: Any) -> dict[str, Any]:
    """Return a configuration; raise RefusedError if it lacks the keys that every model has."""
    if not isinstance(config, dict) or "class_name" not in config or "config" not in config:
        raise RefusedError("it does not describe a Keras model (class_name and config)")
    return config


def read_yaml(yaml: Any, path: Path) -> dict[str, Any]:
    """Read an architecture from YAML without tags.

    Raises
    ------
    RefusedError
        If it is not plain YAML, or not the configuration of a model.
    """
    if path.stat().st_size > YAML_BYTES:
        raise RefusedError(
            f"it has {path.stat().st_size:,} bytes of YAML; at most {YAML_BYTES:,} are read"
        )

    class Plain(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        def flatten_mapping(self, node: Any) -> None:
            """Do not merge mappings (``<<``): nested merges grow exponentially."""

    try:
        loader = Plain(io.BytesIO(path.read_bytes()))
        try:
            config = loader.get_single_data()
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RefusedError(f"it is not plain YAML ({reason})") from error
    return check_model_keys(config)


def check_config(keras: Any, config: Any) -> None:
    """Refuse classes and functions other than Keras' own and those that the user registered.

    Raises
    ------
    RefusedError
        For the first one; also if the configuration is too large, or recursive (in YAML).
    """
    bases = tuple(_getattr_path(keras, name) for name in BASES)
    pending = [config]
    count = 0
    while pending:
        node = pending.pop()
        children = node.values() if isinstance(node, dict) else node
        count += ENTRIES_PER_NODE + len(children)
        if count > MAX_ENTRIES:
            raise RefusedError("its configuration is too large, or contains itself")
        if isinstance(node, dict):
            if "class_name" in node:
                _check_class(keras, node, bases)
            if isinstance(file := node.get("vocabulary"), str) and file:
                raise RefusedError(
                    f"it names a file to be read, {file[:80]!r}; give the layer its vocabulary "
                    "as a list and save the model again"
                )
        pending += [child for child in children if isinstance(child, (dict, list, tuple))]


def _check_class(keras: Any, node: dict[str, Any], bases: tuple[type, ...]) -> None:
    name, inner, module = node["class_name"], node.get("config"), node.get("module")
    if not isinstance(name, str):
        return  # a value with this key; Keras accepts only strings as class names
    registered = keras.saving.get_registered_object
    if name == "function":
        if not isinstance(inner, str) or not (
            registered(inner) is not None or _is_function(keras, module, inner)
        ):
            raise _unknown(inner, "function")
        return
    if name in RUNS_CODE and not (name == "Lambda" and _calls_registered(keras, inner)):
        raise RefusedError(
            f"{name} would run code from the file; rebuild that layer in Python, as a custom "
            "class registered with keras.saving.register_keras_serializable"
        )
    if name in VALUES:
        return
    alias = node.get("registered_name")
    if (isinstance(alias, str) and registered(alias) is not None) or registered(name) is not None:
        return
    modules = (
        [_getattr_path(keras, each) for each in CLASS_MODULES]
        if module is None  # the short form, for Keras' own classes only
        else [_getattr_path(keras, module.removeprefix("keras").lstrip("."))]
        if isinstance(module, str) and module.split(".")[0] == "keras"
        else []
    )
    if module == "builtins" and name in ("tuple", "slice"):
        return
    if not any(_has_class(each, name, bases, short=module is None) for each in modules):
        raise _unknown(name, "layer or object")


def _unknown(name: Any, what: str) -> RefusedError:
    return RefusedError(
        f"{str(name)[:80]!r} is not a {what} that Keras knows; register it with "
        "keras.saving.register_keras_serializable before loading"
    )


def _has_class(module: Any, name: str, bases: tuple[type, ...], *, short: bool) -> bool:
    found = getattr(module, name, None)
    if found is None and short:  # older files have "zeros" for Zeros and "adam" for Adam
        plain = name.replace("_", "").lower()
        matching = (getattr(module, each) for each in dir(module) if each.lower() == plain)
        found = next(matching, None)
    return isinstance(found, type) and issubclass(found, bases)


def _is_function(keras: Any, module: Any, name: str) -> bool:
    anywhere = module in (None, "builtins")
    modules = [each for each in FUNCTION_MODULES if anywhere or module == f"keras.{each}"]
    return any(callable(getattr(_getattr_path(keras, each), name, None)) for each in modules)


def _calls_registered(keras: Any, config: Any) -> bool:
    """Whether a Lambda layer calls a function that the user registered."""
    function = config.get("function") if isinstance(config, dict) else None
    if isinstance(function, dict) and function.get("class_name") == "function":
        function = function.get("config")
    return isinstance(function, str) and keras.saving.get_registered_object(function) is not None


def _getattr_path(root: Any, dotted: str) -> Any:
    for part in dotted.split(".") if dotted else ():
        root = getattr(root, part, None)
    return root
