"""The help of every command, and the list of measures."""

import json
import re
import shlex
from itertools import pairwise

import pytest

from unknot.cli import app
from unknot.cli._command import examples_of, usage_of
from unknot.metrics import all_measures, register, unregister


def program():
    import typer

    return typer.main.get_command(app)


COMMANDS = sorted(program().commands)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_no_types_and_names_what_options_take(call, name):
    code, out, _ = call(name, "--help", columns="80")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert not re.search(r"<(bool|str|int|path|float|list)", out)
    command = program().commands[name]
    context = command.make_context(name, [], resilient_parsing=True)
    for param in command.get_params(context):
        if param.param_type_name == "argument":
            assert re.fullmatch("[A-Z]+", param.metavar)
            assert param.metavar in out
        elif param.is_flag:
            assert param.metavar == ""
        else:
            assert re.fullmatch("[A-Z:]+", param.metavar), param.name
            assert f"{max(param.opts, key=len)} {param.metavar}" in " ".join(out.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_of_every_command_are_valid(call, name):
    command = program().commands[name]
    examples = examples_of(command)
    assert examples
    _, out, _ = call(name, "--help", columns="80")
    for example in examples:
        assert example in out
        words = shlex.split(example, comments=True)
        if ">" in words:
            words = words[: words.index(">")]
        assert words[:2] == ["unknot", name]
        # Raises where an option does not exist, or a value is missing or of the wrong kind.
        command.make_context(name, words[2:])


def test_a_wrong_example_would_be_found():
    command = program().commands["report"]
    with pytest.raises(Exception, match="No such option"):
        command.make_context("report", ["my-study", "--nonsense"])


def test_paragraphs_are_wrapped_once(call):
    _, out, _ = call("lab", "--help", columns="80")
    body = out.split("Options")[0].split("\n\n")[2].splitlines()
    # Every line but the last is as long as the next word allows.
    for line, after in pairwise(body):
        assert len(line.rstrip()) + 1 + len(after.split()[0]) > 78


def test_defaults_stand_in_one_pair_of_brackets(call):
    _, out, _ = call("report", "--help")
    assert "[default: DIR/report.html]" in out
    assert "[default: all cores]" in out
    assert "([" not in out


def test_usage_names_the_arguments():
    commands = program().commands
    assert usage_of(commands["study"], "unknot study") == "unknot study MODEL... DATA [OPTIONS]"
    assert usage_of(commands["compare"], "unknot compare") == "unknot compare DIR [OTHER] [OPTIONS]"
    assert usage_of(program(), "unknot") == "unknot COMMAND ..."


def test_every_measure_says_what_it_says():
    entries = all_measures()
    sentences = [entry.sentence for entry in entries]
    assert len(set(sentences)) == len(entries)
    for sentence in sentences:
        assert re.fullmatch(r"[A-Z].*\.", sentence)
        assert len(sentence) < 90


def test_measures_lists_them(call):
    code, out, err = call("measures", columns="80")
    assert (code, err) == (0, "")
    for entry in all_measures():
        assert re.search(rf"^  {entry.name} [↑↓·] ", out, re.MULTILINE)
        assert entry.sentence[:50] in out
    assert "neighborhood_hit ↑ 0 to 1 *" in out
    assert "davies_bouldin ↓ 0 up\n" in out
    assert "linear_r2 ↑ up to 1" in out
    assert max(map(len, out.splitlines())) <= 80


def test_measures_of_a_family_and_as_json(call):
    _, out, _ = call("measures", "collapse", "linear_probe")
    assert set(re.findall(r"^  (\w+) ", out, re.MULTILINE)) == {
        "linear_probe", "nc1", "nc2", "class_distance_variance", "nc3", "nc4",
    }  # fmt: skip
    _, out, _ = call("measures", "map_silhouette", "--json")
    (found,) = json.loads(out)
    assert found["name"] == "silhouette"
    assert found["range"] == [-1.0, 1.0]
    assert found["higher_is_better"] is True
    assert found["in_a_study_by_default"] is True
    code, _, err = call("measures", "clstrs")
    assert code == 2
    assert "did you mean 'clusters'" in err


def test_a_registered_measure_is_listed_with_its_docstring(call):
    def spread(points, labels):
        """Say how far points reach.

        More on this.
        """
        return float(points.max())

    register("spread")(spread)
    try:
        _, out, _ = call("measures", "spread")
    finally:
        unregister("spread")
    assert "Say how far points reach." in out
    assert "More on this" not in out
