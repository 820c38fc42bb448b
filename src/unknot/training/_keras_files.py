"""What is in a Keras file is looked through before Keras makes anything of it.

Keras has a safe mode of its own; holes in it have been found and closed more than once. So what a
file may hold is listed here: members of an archive, links and sizes in HDF5, and the classes and
functions that a configuration names.
"""

import io
import json
import math
import stat
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

CONFIG_BYTES: Final = 2**24
"""The largest known architectures take a tenth of it."""
YAML_BYTES: Final = 2**22
"""YAML takes some seconds for each million characters."""
CONFIG_ENTRIES: Final = 4_000_000
ENTRIES_OF_A_PART: Final = 20
"""What a list or mapping counts for besides its entries; the largest known have 50,000 of them."""
EXPANSION: Final = 100
"""Keras stores weights as they are; those of a new model can be packed by about as much."""
SMALL: Final = 2**26
"""What is no larger than this may be packed in any way."""
ATTRIBUTE_BYTES: Final = 2**20
MEMORY_BYTES: Final = 2**28

CONFIG: Final = "config.json"
WEIGHTS: Final = ("model.weights.h5", "model.weights.npz")
MEMBERS: Final = (CONFIG, "metadata.json", *WEIGHTS)

ZIP_MAGIC: Final = b"PK\x03\x04"
HDF5_MAGIC: Final = b"\x89HDF\r\n\x1a\n"

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
    """What a file holds is not taken; the message says why, without the file's name."""


@dataclass(frozen=True)
class Content:
    """What a file of a whole model says.

    Attributes
    ----------
    kind : {"archive", "hdf5"}
    training : dict or None
        How the model was compiled.
    stepped : bool
        Whether its optimizer has taken a step.
    """

    kind: str
    training: dict[str, Any] | None
    stepped: bool


def read_content(keras: Any, path: Path) -> Content:
    """Look through a whole model, of either kind, told apart by the content.

    Raises
    ------
    RefusedError
        If it holds what must not be loaded.
    Exception
        Whatever the libraries raise that read damaged files.
    """
    with path.open("rb") as stream:
        start = stream.read(len(HDF5_MAGIC))
    if start.startswith(ZIP_MAGIC):
        config, stepped = _read_archive(path)
        training = config.pop("compile_config", None)
        check_config(keras, config)
        return Content("archive", training, stepped)
    import h5py

    if not h5py.is_hdf5(path):
        raise RefusedError(
            f"it is neither a .keras archive nor HDF5; it begins with {start.hex(' ') or 'nothing'}"
        )
    with h5py.File(path) as file:
        stepped = check_hdf5(file, path.stat().st_size)
        model, training = (_attribute(file, name) for name in ("model_config", "training_config"))
    if model is None:
        raise RefusedError(
            "it holds weights without a model. Save the whole model, or the architecture as "
            "NAME.yaml beside NAME.weights.h5"
        )
    check_config(keras, model)
    return Content("hdf5", training, stepped)


def _read_archive(path: Path) -> tuple[dict[str, Any], bool]:
    import h5py

    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        counts = Counter(member.filename.casefold() for member in members)
        for member in members:
            _check_member(member, counts)
        names = {member.filename: member for member in members}
        for needed in (CONFIG, next((name for name in WEIGHTS if name in names), WEIGHTS[0])):
            if needed not in names:
                raise RefusedError(f"the archive has no {needed}")
        if names[CONFIG].file_size > CONFIG_BYTES:
            raise RefusedError(
                f"its {CONFIG} has {names[CONFIG].file_size:,} bytes; at most {CONFIG_BYTES:,} "
                "are read"
            )
        config = parse_config(archive.read(CONFIG))
        stepped = False
        if weights := names.get(WEIGHTS[0]):
            with archive.open(weights) as packed, _seekable(packed, weights.file_size) as stream:
                stored = max(weights.compress_size, 1)
                if weights.file_size > max(SMALL, EXPANSION * stored):
                    raise _bomb(weights.filename, weights.file_size, stored)
                with h5py.File(stream, "r") as file:
                    stepped = check_hdf5(file, stored)
    return config, stepped


def _check_member(member: zipfile.ZipInfo, counts: Counter[str]) -> None:
    name = member.filename
    if counts[name.casefold()] > 1:
        raise RefusedError(f"the archive has two members called {name!r}")
    parts = name.rstrip("/").split("/")
    asset = parts[0] == "assets" and not any(
        part in ("", ".", "..") or "\\" in part or ":" in part for part in parts
    )
    if name not in MEMBERS and not asset:
        raise RefusedError(f"the archive has a member {name!r}, which no model has")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise RefusedError(f"the member {name!r} of the archive is a link")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise RefusedError(f"the member {name!r} is packed by an unknown method")
    if asset and member.file_size > max(SMALL, EXPANSION * member.compress_size):
        raise _bomb(name, member.file_size, member.compress_size)


@contextmanager
def _seekable(packed: Any, size: int) -> Iterator[IO[bytes]]:
    """Unpack: HDF5 is read here and there, and going back in an archive is to begin again."""
    with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as stream:
        remaining = size
        while remaining > 0 and (block := packed.read(min(remaining, 2**20))):
            stream.write(block)
            remaining -= len(block)
        stream.seek(0)
        yield stream


def parse_config(text: bytes | str) -> dict[str, Any]:
    """Read a configuration as JSON.

    Raises
    ------
    RefusedError
        If it is none.
    """
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise RefusedError(f"its configuration is not plain JSON ({reason})") from error
    return check_described(config)


def check_described(config: Any) -> dict[str, Any]:
    """Return a configuration if it has the two keys that every model's has."""
    if not isinstance(config, dict) or "class_name" not in config or "config" not in config:
        raise RefusedError("it does not describe a Keras model (class_name and config)")
    return config


def _attribute(file: Any, name: str) -> dict[str, Any] | None:
    text = file.attrs.get(name)
    if text is None:
        return None
    if not isinstance(text, (bytes, str)) or len(text) > CONFIG_BYTES:
        raise RefusedError(f"its {name} is not a text of at most {CONFIG_BYTES:,} bytes")
    if name == "model_config":
        return parse_config(text)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def check_hdf5(file: Any, stored: int) -> bool:
    """Refuse links, data in other files, and sizes that the file cannot hold.

    Parameters
    ----------
    file : h5py.File
    stored : int
        The bytes of the file, packed.

    Returns
    -------
    bool
        Whether the optimizer in it has taken a step.
    """
    import h5py

    declared, stepped = 0, False
    seen: set[Any] = set()
    pending = [file]
    while pending:
        group = pending.pop()
        _check_attributes(group, stored)
        for name in group:
            where = f"{group.name.rstrip('/')}/{name}"
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise RefusedError(f"{where} in it is a link")
            item = group[name]
            place = h5py.h5o.get_info(item.id).addr
            if place in seen:
                continue
            seen.add(place)
            if isinstance(item, h5py.Group):
                pending.append(item)
            elif isinstance(item, h5py.Dataset):
                if item.external or item.is_virtual:
                    raise RefusedError(f"the values of {where} in it are in other files")
                _check_attributes(item, stored)
                declared += math.prod(item.shape or ()) * item.dtype.itemsize
                if declared > max(SMALL, EXPANSION * stored):
                    raise _bomb(where, declared, stored)
                if item.shape == () and item.dtype.kind in "iu" and where.startswith("/optimizer"):
                    stepped = stepped or int(item[()]) > 0
    return stepped


def _check_attributes(item: Any, stored: int) -> None:
    for name in item.attrs:
        attribute = item.attrs.get_id(name)
        size = math.prod(attribute.shape) * attribute.dtype.itemsize
        if size > max(ATTRIBUTE_BYTES, stored):
            raise _bomb(f"the attribute {name!r}", size, stored)


def _bomb(what: str, declared: int, stored: int) -> RefusedError:
    return RefusedError(
        f"{what} in it declares {declared:,} bytes, and {stored:,} are stored; it is damaged, "
        "or made to fill the memory"
    )


@contextmanager
def weights_limited(keras: Any, stored: int) -> Iterator[None]:
    """Refuse layers that ask for more weights than a file can hold, before memory is taken.

    A configuration may announce any number of units; the weights of all of them are in the file.
    """
    add_weight = keras.layers.Layer.add_weight
    asked = 0

    def counted(layer: Any, shape: Any = None, *args: Any, **kwargs: Any) -> Any:
        nonlocal asked
        sizes = [shape] if isinstance(shape, int) else shape or ()
        asked += 4 * math.prod(size for size in sizes if isinstance(size, int))
        if asked > max(SMALL, EXPANSION * stored):
            raise _bomb(f"layer {layer.name!r}", asked, stored)
        return add_weight(layer, shape, *args, **kwargs)

    keras.layers.Layer.add_weight = counted
    try:
        yield
    finally:
        keras.layers.Layer.add_weight = add_weight


def read_yaml(yaml: Any, path: Path) -> dict[str, Any]:
    """Read an architecture as YAML: plain values only, without tags.

    Raises
    ------
    RefusedError
        If it is something else.
    """
    if path.stat().st_size > YAML_BYTES:
        raise RefusedError(
            f"it has {path.stat().st_size:,} bytes of YAML; at most {YAML_BYTES:,} are read"
        )

    class Plain(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        def flatten_mapping(self, node: Any) -> None:
            """Do not merge mappings (``<<``): merged ones in merged ones grow without end."""

    try:
        loader = Plain(io.BytesIO(path.read_bytes()))
        try:
            config = loader.get_single_data()
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RefusedError(f"it is not plain YAML ({reason})") from error
    return check_described(config)


def check_config(keras: Any, config: Any) -> None:
    """Refuse every class and function but Keras' own and those the user registered.

    Raises
    ------
    RefusedError
        At the first; also if there is no end to it, as where parts of a YAML file hold themselves.
    """
    bases = tuple(_at(keras, name) for name in BASES)
    pending = [config]
    count = 0
    while pending:
        node = pending.pop()
        children = node.values() if isinstance(node, dict) else node
        count += ENTRIES_OF_A_PART + len(children)
        if count > CONFIG_ENTRIES:
            raise RefusedError("its configuration is too large, or holds itself")
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
        return  # a value that has this key; Keras takes only names for classes
    registered = keras.saving.get_registered_object
    if name == "function":
        if not isinstance(inner, str) or not (
            registered(inner) is not None or _is_function(keras, module, inner)
        ):
            raise _unknown(inner, "function")
        return
    if name in RUNS_CODE and not (name == "Lambda" and _calls_registered(keras, inner)):
        raise RefusedError(
            f"{name} would run code from the file; rebuild that layer in Python, as a class of "
            "your own that keras.saving.register_keras_serializable names"
        )
    if name in VALUES:
        return
    by = node.get("registered_name")
    if (isinstance(by, str) and registered(by) is not None) or registered(name) is not None:
        return
    places = (
        [_at(keras, each) for each in CLASS_MODULES]
        if module is None  # the short form, of Keras' own only
        else [_at(keras, module.removeprefix("keras").lstrip("."))]
        if isinstance(module, str) and module.split(".")[0] == "keras"
        else []
    )
    if module == "builtins" and name in ("tuple", "slice"):
        return
    if not any(_has_class(place, name, bases, short=module is None) for place in places):
        raise _unknown(name, "layer or object")


def _unknown(name: Any, what: str) -> RefusedError:
    return RefusedError(
        f"{str(name)[:80]!r} is not a {what} that Keras knows; register it with "
        "keras.saving.register_keras_serializable before loading"
    )


def _has_class(place: Any, name: str, bases: tuple[type, ...], *, short: bool) -> bool:
    found = getattr(place, name, None)
    if found is None and short:  # older files have "zeros" for Zeros and "adam" for Adam
        plain = name.replace("_", "").lower()
        found = next(
            (getattr(place, each) for each in dir(place) if each.lower() == plain),
            None,
        )
    return isinstance(found, type) and issubclass(found, bases)


def _is_function(keras: Any, module: Any, name: str) -> bool:
    anywhere = module in (None, "builtins")
    places = [each for each in FUNCTION_MODULES if anywhere or module == f"keras.{each}"]
    return any(callable(getattr(_at(keras, each), name, None)) for each in places)


def _calls_registered(keras: Any, config: Any) -> bool:
    """Whether a Lambda layer calls a function that the user has registered."""
    function = config.get("function") if isinstance(config, dict) else None
    if isinstance(function, dict) and function.get("class_name") == "function":
        function = function.get("config")
    return isinstance(function, str) and keras.saving.get_registered_object(function) is not None


def _at(place: Any, dotted: str) -> Any:
    for part in dotted.split(".") if dotted else ():
        place = getattr(place, part, None)
    return place
