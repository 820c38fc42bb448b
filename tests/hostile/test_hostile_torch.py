"""PyTorch files that attack: whatever they hold, nothing of it runs unless it is trusted."""

import io
import json
import os
import pickle
import random
import re
import warnings
import zipfile

import numpy as np
import pytest

from unknot.representations import extract, load_model
from unknot.representations._loading.expressions import is_arithmetic, is_guard

torch = pytest.importorskip("torch")

CONSTANTS = "m/data/constants/model_constants_config.json"
WEIGHTS = "m/data/weights/model_weights_config.json"
EXAMPLES = "m/data/sample_inputs/model.pt"
MODEL = "m/models/model.json"
INPUTS = np.random.default_rng(0).random((6, 8), dtype=np.float32)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(8, 3)
        self.register_buffer("shift", torch.ones(3))

    def forward(self, x):
        return torch.relu(self.fc(x)) + self.shift


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments, **options)


def read(path):
    with zipfile.ZipFile(path) as archive:
        return [(f"m/{name.partition('/')[2]}", archive.read(name)) for name in archive.namelist()]


def write(path, members):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")  # two members of one name
        for name, content in members:
            archive.writestr(name, content)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "m.pt2"
    dynamic = ({0: torch.export.Dim("n")},)
    exported = quietly(torch.export.export, Net(), (torch.tensor(INPUTS),), dynamic_shapes=dynamic)
    quietly(torch.export.save, exported, path)
    return read(path)


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("script") / "m.pt"
    quietly(lambda: torch.jit.script(Net()).save(str(path)))
    return read(path)


def refuse(path, match="."):
    """Loading ends in one short error that names the file; nothing is run or printed."""
    with pytest.raises(ValueError, match=match) as caught:
        extract(load_model(path), INPUTS, progress=False)
    assert path.name in str(caught.value)
    assert len(str(caught.value)) < 900


def saved(value):
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def edited(members, name, change):
    """Return members with the JSON of one changed."""
    content = json.loads(dict(members)[name])
    change(content)
    return [(at, json.dumps(content) if at == name else old) for at, old in members]


def test_an_ordinary_program_and_script_are_loaded(program, script, tmp_path):
    for name, members in (("good.pt2", program), ("good.pt", script)):
        write(tmp_path / name, members)
        assert extract(load_model(tmp_path / name), INPUTS, progress=False).output.shape == (6, 3)


@pytest.mark.parametrize(
    "name",
    [
        CONSTANTS,
        CONSTANTS.upper().replace("M/", "m/"),
        CONSTANTS.replace("/constants/", "//constants/"),
        CONSTANTS.replace("/constants/", "/./constants/"),
        CONSTANTS.replace("/constants/", "/weights/../constants/"),
        CONSTANTS.replace("m/", "M/"),
        CONSTANTS.replace("/", "\\"),
        f"/{CONSTANTS}",
    ],
)
def test_names_that_two_readers_take_differently(name, program, marker, tmp_path):
    good = dict(program)[CONSTANTS]
    evil = json.dumps(
        {"config": {"o": {"path_name": "tensor_9", "is_param": False, "use_pickle": True}}}
    )
    payload = ("m/data/constants/tensor_9", saved(marker.payload))
    others = [(at, content) for at, content in program if at != CONSTANTS]
    for number, pair in enumerate([((name, evil), (CONSTANTS, good))] * 2):
        path = tmp_path / f"{number}.pt2"
        write(path, [*others, payload, *(pair if number else reversed(pair))])
        refuse(path, "two readers|pickle|does not write")


@pytest.mark.parametrize("name", [EXAMPLES, EXAMPLES.replace(".pt", ".PT")])
@pytest.mark.parametrize("whole", [True, False])
def test_pickles_beside_a_program(name, whole, program, marker, tmp_path):
    evil = saved(marker.payload) if whole else marker.pickled
    members = [(at, content) for at, content in program if at != EXAMPLES]
    write(tmp_path / "m.pt2", [*members, (name, evil)])
    refuse(tmp_path / "m.pt2")


@pytest.mark.parametrize(
    "name",
    ["constants/custom_obj_0", "constants/opaque_obj_0", "aotinductor/model/x.so", "other/x.py"],
)
def test_members_that_are_not_of_a_plain_program(name, program, tmp_path):
    write(tmp_path / "m.pt2", [*program, (f"m/data/{name}", b"x")])
    refuse(tmp_path / "m.pt2", "can run any code")


@pytest.mark.parametrize("place", ["before", "behind", "link", "encrypted"])
def test_archives_that_hide_something(place, program, tmp_path):
    path = tmp_path / "m.pt2"
    write(path, program)
    content = path.read_bytes()
    if place == "before":
        path.write_bytes(b"PK\x03\x04" + content)
    elif place == "behind":
        path.write_bytes(content + b"more")
    elif place == "encrypted":
        with zipfile.ZipFile(path) as archive:
            start = archive.start_dir
        path.write_bytes(content[: start + 8] + b"\x01" + content[start + 9 :])
    else:
        with zipfile.ZipFile(path, "a") as archive:
            link = zipfile.ZipInfo("m/data/weights/weight_9")
            link.external_attr = 0o120777 << 16
            archive.writestr(link, "/etc/passwd")
    refuse(path)


def test_an_archive_that_unfolds_without_end(program, tmp_path):
    with zipfile.ZipFile(tmp_path / "m.pt2", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in program:
            archive.writestr(name, content)
        archive.writestr("m/data/weights/weight_9", bytes(65 * 2**20))
    refuse(tmp_path / "m.pt2", "would decompress")


@pytest.mark.parametrize(
    "target",
    [
        "torch.ops.aten.from_file.default",
        "torch.ops.aten.save.default",
        "torch.load",
        "torch.hub.load_state_dict_from_url",
        "torch.os.system",
        "torch.ops.higher_order.flat_apply",
        "torch.ops.higher_order.call_torchbind",
        "torch.ops.higher_order.triton_kernel_wrapper_mutation",
        "torch.ops.debugprims.load_tensor.default",
        "torch.ops.evil.op.default",
        "_operator.attrgetter",
        "math.__loader__",
        "#evil:op",
    ],
)
def test_operators_that_do_more_than_compute(target, program, tmp_path):
    def change(content):
        content["graph_module"]["graph"]["nodes"][0]["target"] = target

    write(tmp_path / "m.pt2", edited(program, MODEL, change))
    refuse(tmp_path / "m.pt2", re.escape(target))


def place_as_operator(content, marker):
    argument = {"name": "x", "arg": {"as_operator": "torch.os.system"}, "kind": 1}
    content["graph_module"]["graph"]["nodes"][0]["inputs"].append(argument)


def place_guard(content, marker):
    content["guards_code"] = [f"[open({str(marker.path)!r}, 'w') for _ in [0]]"]


def place_in_a_size(content, marker):
    values = content["graph_module"]["graph"]["tensor_values"]
    values["x"]["sizes"][0] = {"as_expr": {"expr_str": f"open({str(marker.path)!r}, 'w')"}}


def place_in_a_list_of_sizes(content, marker):
    values = content["graph_module"]["graph"]["tensor_values"]
    values["x"]["sizes"][0] = {"as_expr": {"expr_str": [f"open({str(marker.path)!r}, 'w')"]}}


def signature_of(content):
    return content["graph_module"]["module_call_graph"][0]["signature"]


def place_import_of_a_factory(content, marker):
    context = {
        "default_factory_module": "this",
        "default_factory_name": "s",
        "dict_context": [],
    }
    tree = {"type": "collections.defaultdict", "context": context, "children_spec": []}
    signature_of(content)["out_spec"] = json.dumps([1, tree])


def place_enumeration(content, marker):
    context = json.dumps([{"__enum__": True, "fqn": "this:s", "name": "x"}])
    leaf = {"type": None, "context": None, "children_spec": []}
    tree = {"type": "builtins.dict", "context": context, "children_spec": [leaf]}
    signature_of(content)["out_spec"] = json.dumps([1, tree])


def place_in_argument_names(content, marker):
    signature_of(content)["forward_arg_names"] = [f"x=open({str(marker.path)!r}, 'w')"]


def place_in_keys_of_inputs(content, marker):
    leaf = {"type": None, "context": None, "children_spec": []}
    keys = json.dumps([f"a':open('{marker.path}', 'w'),'b"])
    named = {"type": "builtins.dict", "context": keys, "children_spec": [leaf]}
    none = {"type": "builtins.tuple", "context": "null", "children_spec": []}
    tree = {"type": "builtins.tuple", "context": "null", "children_spec": [none, named]}
    signature_of(content)["in_spec"] = json.dumps([1, tree])


def place_in_names(content, marker):
    renamed = json.dumps(content["graph_module"]).replace(
        '"x"', json.dumps(f"x=open({str(marker.path)!r}, 'w')")
    )
    content["graph_module"] = json.loads(renamed)


def place_in_a_weight(content, marker):
    for spec in content["graph_module"]["signature"]["input_specs"]:
        if "parameter" in spec:
            spec["parameter"]["parameter_name"] = f'a"), open({str(marker.path)!r}, "w'


def place_in_a_class(content, marker):
    for spec in content["graph_module"]["signature"]["input_specs"]:
        if "parameter" in spec:
            spec["parameter"]["parameter_name"] = "__class__.forward"


def place_custom_object(content, marker):
    content["graph_module"]["graph"]["custom_obj_values"] = {
        "x": {"name": "x", "class_fqn": "__torch__.torch.classes.evil.Thing"}
    }


@pytest.mark.parametrize(
    "change",
    [
        *(place_as_operator, place_guard, place_in_a_size, place_in_a_list_of_sizes),
        *(place_import_of_a_factory, place_enumeration, place_in_argument_names),
        *(place_in_keys_of_inputs, place_in_names, place_in_a_weight, place_in_a_class),
        place_custom_object,
    ],
)
def test_fields_of_a_program_that_become_code(change, program, marker, tmp_path):
    members = edited(program, MODEL, lambda content: change(content, marker))
    write(tmp_path / "m.pt2", members)
    refuse(tmp_path / "m.pt2", "can run any code")


def test_weights_of_a_program_that_are_declared_larger_than_they_are(program, tmp_path):
    def change(content):
        for meta in content["config"].values():
            meta["tensor_meta"]["sizes"] = [{"as_int": 10**9}, {"as_int": 8}]

    members = edited(program, WEIGHTS, change)
    write(tmp_path / "large.pt2", members)
    refuse(tmp_path / "large.pt2")
    empty = [(at, b"" if "/weight_" in at else content) for at, content in members]
    write(tmp_path / "empty.pt2", empty)
    refuse(tmp_path / "empty.pt2", "is empty")


def test_the_older_format_of_programs_holds_no_pickles_either(program, marker, tmp_path):
    members = {
        "version": b"8.20",
        "serialized_exported_program.json": dict(program)[MODEL],
        "serialized_constants.pt": saved({}),
        "serialized_example_inputs.pt": saved(((torch.tensor(INPUTS),), {})),
        "serialized_state_dict.pt": saved(Net().state_dict(keep_vars=True)),
    }
    write(tmp_path / "old.pt2", members.items())
    found = extract(load_model(tmp_path / "old.pt2"), INPUTS, progress=False)
    assert found.output.shape == (6, 3)
    for name in ("serialized_constants.pt", "serialized_example_inputs.pt"):
        write(tmp_path / "evil.pt2", (members | {name: saved(marker.payload)}).items())
        refuse(tmp_path / "evil.pt2", "a pickle")
    write(tmp_path / "json.pt2", (members | {"serialized_constants.json": b"x"}).items())
    refuse(tmp_path / "json.pt2", "a Python object")


@pytest.mark.parametrize(
    ("expression", "harmless"),
    [
        ("Pow(Symbol('s0', positive=True, integer=True), Integer(2))", True),
        ("Max(1, Mul(Integer(3), FloorDiv(s0, Integer(2)))) + u1**2", True),
        ("GreaterThan(Symbol('u0', integer=True), Integer(0))", True),
        ("S('open')", False),
        ("Lambda(s0, s0)", False),
        ("Integer(9) ** 9 ** 9", False),
        ("Pow(Integer(9), Pow(Integer(9), Integer(64)))", False),
        ("LShift(Integer(1), Integer(10000000000))", False),
        ("Float('1', precision=10000000000)", False),
        ("exit", False),
        ("'text'", False),
        ("factorial(Integer(100000000))", False),
    ],
)
def test_only_small_arithmetic_is_evaluated(expression, harmless):
    assert is_arithmetic(expression) is harmless


@pytest.mark.parametrize(
    ("guard", "harmless"),
    [
        ("L['x'].size()[1] == L['y']['key'].size()[0]", True),
        ("L['x'].size()[0] % 8 == 0 and L['x'].stride()[0] <= 4*math.floor(2.5)", True),
        ("max(1, int(L['x'].size()[0] / 2)) >= 2", True),
        ("open('x')", False),
        ("torch.load('x')", False),
        ("math.__loader__.load_module('x')", False),
        ("L['x'].tofile('x')", False),
        ("L['x'].size()[0] == 9**9**9", False),
        ("(lambda: 0)() == 0", False),
        ("L['x'].size()[0] == 3\nimport os", False),
    ],
)
def test_guards_only_compare_sizes(guard, harmless):
    assert is_guard(guard) is harmless


class Saves(torch.nn.Module):
    def forward(self, x):
        torch.save(x, "made")
        return x


class ReadsInSubmodule(torch.nn.Module):
    class Inner(torch.nn.Module):
        def forward(self, x):
            return x + torch.from_file("precious", False, 4, dtype=torch.uint8).sum()

    def __init__(self):
        super().__init__()
        self.inner = self.Inner()

    def forward(self, x):
        return self.inner(x)


def save_apart(x):
    torch.save([x], "made")
    return x


class SavesInFunction(torch.nn.Module):
    def forward(self, x):
        return save_apart(x) if bool(x.sum() > 0) else x


class SavesWhenRestored(torch.nn.Module):
    def forward(self, x):
        return x

    @torch.jit.export
    def __getstate__(self):
        return (torch.ones(1), self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]):
        torch.save(state[0], "made")
        self.training = state[1]


@pytest.mark.parametrize("kind", [Saves, ReadsInSubmodule, SavesInFunction, SavesWhenRestored])
def test_scripts_that_touch_files(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "precious").write_bytes(b"1234")
    quietly(lambda: torch.jit.script(kind()).save("m.ts"))
    refuse(tmp_path / "m.ts", "calls aten::(save|from_file), which can access more")
    assert not (tmp_path / "made").exists()
    assert load_model(tmp_path / "m.ts", trust_pickle=True) is not None


@pytest.mark.parametrize(
    "line",
    [
        "torch.save(x, 'made')",
        "y = torch\n    y.save(x, 'made')",
        "torch . save(x, 'made')",
        "x.save('made')",
        "getattr(x, \"sa\\166e\")('made')",
        'getattr(x, "sa" "ve")(\'made\')',
        'getattr(getattr(self, "fc"), "sa\\166e")(\'made\')',
        "ops.aten.save(x, 'made')",
        "z = ops\n    z.aten.save(x, 'made')",
        "ops.image.write_file('made', x)",
        "ops.prim.rpc_sync('worker', 'made', ())",
        "ops.inductor._alloc_from_pool(x, 0, 6, [1], [1])",
        "r = __torch__.torch.classes.evil.Runner.__new__(__torch__.torch.classes.evil.Runner)",
        "r = __torch__.torch",
    ],
)
def test_code_of_a_script_that_reaches_for_files(line, script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = next(
        at for at, _ in script if re.search(r"code/__torch__.*\.py$", at) and "nn" not in at
    )
    members = [
        (at, content.replace(b"    shift", f"    {line}\n    shift".encode(), 1))
        if at == name
        else (at, content)
        for at, content in script
    ]
    assert members != script
    write(tmp_path / "m.pt", members)
    refuse(tmp_path / "m.pt", "calls|getattr|class")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "name",
    ["m/code/x.so", "m/data.PKL", "m/model.json", "m/attributes.pkl", "m/./data.pkl"],
)
def test_members_of_a_script_that_pytorch_does_not_write(name, script, tmp_path):
    write(tmp_path / "m.pt", [*script, (name, b"x")])
    refuse(tmp_path / "m.pt")


def change_storage(pickled):
    return pickled.replace(b"K\x18", b"J\x00\x00\x00\x10")


def change_size(pickled):
    return pickled.replace(b"K\x03K\x08", b"J\x00\x00\x00\x10K\x08")


def change_class(pickled):
    return pickled.replace(b"ccollections\nOrderedDict\n", b"cbuiltins\neval\n")


def change_to_a_class_of_cpp(pickled):
    return pickled.replace(
        b"ccollections\nOrderedDict\n", b"c__torch__.torch.classes.evil\nRunner\n"
    )


@pytest.mark.parametrize(
    "change", [change_storage, change_size, change_class, change_to_a_class_of_cpp]
)
def test_a_scripts_tensors_lie_in_their_members(change, script, tmp_path):
    """PyTorch's reader of scripts takes what lies behind a member for values of its tensor."""
    pickled = dict(script)["m/data.pkl"]
    assert change(pickled) != pickled
    write(
        tmp_path / "m.pt",
        [(at, change(pickled) if at == "m/data.pkl" else content) for at, content in script],
    )
    refuse(tmp_path / "m.pt", "does not hold|beyond its storage|contains an object of")


def test_weights_that_are_declared_larger_than_they_are(tmp_path):
    torch.save({"w": torch.arange(4.0)}, tmp_path / "good.pt")
    members = [
        (at, content.replace(b"K\x04", b"J\x00\x00\x00\x10"))
        for at, content in read(tmp_path / "good.pt")
    ]
    write(tmp_path / "m.pt", members)
    refuse(tmp_path / "m.pt", "does not hold 268435456 elements")


def deep_key():
    """A dictionary whose key is a tuple of tuples of tuples, which readers hash recursively."""
    return b"\x80\x02}(" + b")" + b"\x85" * 10**4 + b"K\x01u."


def memo_without_end():
    return b"\x80\x02}r\xff\xff\xff\x7f."


def deep_list():
    return b"\x80\x02" + b"]" * 10**4 + b"a" * (10**4 - 1) + b"."


@pytest.mark.parametrize("pickled", [deep_key, memo_without_end, deep_list])
@pytest.mark.parametrize("kind", ["weights", "script"])
def test_pickles_that_exhaust_a_reader(pickled, kind, script, tmp_path):
    members = {"m/version": b"3\n", "m/byteorder": b"little"} if kind == "weights" else dict(script)
    write(tmp_path / "m.pt", (members | {"m/data.pkl": pickled()}).items())
    refuse(tmp_path / "m.pt")


def test_what_is_decided_by_one_reader_is_opened_by_it(script, marker, tmp_path):
    """Archives of no kind, or of one kind by name and another by content."""
    np.savez(tmp_path / "renamed.npz", a=np.ones(3))
    (tmp_path / "renamed.npz").rename(tmp_path / "renamed.pt")
    refuse(tmp_path / "renamed.pt", r"not of a kind that PyTorch writes; it contains 'a\.npy'")
    without_code = [(at, content) for at, content in script if "/code/" not in at]
    write(tmp_path / "bare.pt", without_code)
    refuse(tmp_path / "bare.pt")
    write(tmp_path / "both.pt", [("m/data.pkl", marker.pickled), ("m/version", b"3")])
    refuse(tmp_path / "both.pt", "a pickle that can run any code")
    (tmp_path / "cut.pt").write_bytes(b"PK\x03\x04" + marker.pickled)
    refuse(tmp_path / "cut.pt")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("ending", [".pt", ".pt2", ".onnx"])
def test_only_regular_files_are_opened(ending, tmp_path):
    folder, pipe, link = (tmp_path / f"{name}{ending}" for name in ("folder", "pipe", "link"))
    folder.mkdir()
    os.mkfifo(pipe)
    link.symlink_to("/dev/zero")
    refuse(folder, "is a folder")
    refuse(pipe, "is a pipe or a device")
    refuse(link, "is a pipe or a device")
    (tmp_path / f"nowhere{ending}").symlink_to(tmp_path / "missing")
    with pytest.raises(FileNotFoundError, match=r"nowhere.* no such file"):
        load_model(tmp_path / f"nowhere{ending}")


def damaged(content, rng):
    """Return content cut short, or with one byte changed."""
    place = rng.randrange(len(content))
    if rng.random() < 0.4:
        return content[:place]
    return (
        content[:place] + bytes([content[place] ^ (1 << rng.randrange(8))]) + content[place + 1 :]
    )


@pytest.mark.parametrize("kind", ["program", "script", "weights", "legacy"])
def test_damaged_files_end_in_one_short_error(kind, program, script, tmp_path):
    rng = random.Random(0)
    path = tmp_path / ("m.pt2" if kind == "program" else "m.pt")
    if kind in ("program", "script"):
        write(path, program if kind == "program" else script)
    else:
        torch.save(Net().state_dict(), path, _use_new_zipfile_serialization=kind == "weights")
    content = path.read_bytes()
    refused = 0
    for _ in range(40):
        path.write_bytes(damaged(content, rng))
        message = ""
        try:
            load_model(path, factory=Net if kind in ("weights", "legacy") else None)
        except ValueError as error:
            message = str(error)
        if message:  # there is none where the byte means nothing, as that of a time
            refused += 1
            assert path.name in message
            assert len(message) < 900
    assert refused > 20


class FailsLater(torch.nn.Module):
    """Takes the first samples, and no more than four at once."""

    def forward(self, x):
        if x.shape[0] > 4:
            raise ValueError("too many")
        return torch.relu(x)


def test_graphs_that_fail_when_run_end_in_one_short_error():
    module = quietly(torch.jit.script, FailsLater())
    with pytest.raises(ValueError, match=r"model 'FailsLater' cannot be run .*too many") as caught:
        extract(module, INPUTS, batch_size=6, progress=False)
    assert len(str(caught.value)) < 900
    exported = quietly(torch.export.export, Net(), (torch.tensor(INPUTS[:2]),))
    with pytest.raises(ValueError, match=r"model 'program' cannot be run") as caught:
        extract(exported, INPUTS[:, :5], batch_size=2, progress=False)
    assert len(str(caught.value)) < 900


def test_trusted_files_end_in_one_short_error_as_well(program, tmp_path):
    path = tmp_path / "m.pt2"
    write(path, program)
    assert load_model(path, trust_pickle=True) is not None
    for content in (path.read_bytes()[:-30], b"PK\x03\x04", pickle.dumps(3)[:-1], b""):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"m\.pt2") as caught:
            load_model(path, trust_pickle=True)
        assert len(str(caught.value)) < 900
