"""The reference of the command line, from the program itself.

``.. command-line::`` becomes a section for each command: its help, how it is called, its arguments
and its options.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def describe_program() -> list[str]:
    """Return the whole reference, as lines of reStructuredText."""
    import typer

    from unknot.cli import app

    program = typer.main.get_command(app)
    lines = _table("Option of the program", [*_options(program, "unknot"), _HELP])
    for name, command in program.commands.items():
        lines += describe_command(name, command)
    return lines


def describe_command(name: str, command: Any) -> list[str]:
    """Return the section of one command, as lines of reStructuredText."""
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    title = f"unknot {name}"
    usage = " ".join([title, *(_argument(each) for each in arguments), "[OPTIONS]"])
    lines = [f".. _command-{name}:", "", title, "-" * len(title), ""]
    lines += [*inspect.cleandoc(command.help or "").splitlines(), ""]
    lines += [".. code-block:: text", "", f"   {usage}", ""]
    if arguments:
        lines += _table("Argument", [(_argument(each), each.help or "") for each in arguments])
    return lines + _table("Option", [*_options(command, name), _HELP])


_HELP = ("-h, --help", "Show the help and exit.")


def _argument(argument: Any) -> str:
    return (argument.metavar or argument.name).upper()


def _options(command: Any, name: str) -> list[tuple[str, str]]:
    """Return the options of a command as its help shows them."""
    context = command.make_context(name, [], resilient_parsing=True)
    options = [each for each in command.params if each.param_type_name == "option"]
    return [each.get_help_record(context) for each in options if not each.hidden]


def _table(title: str, rows: list[tuple[str, str]]) -> list[str]:
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 35 65", ""]
    lines += [f"   * - {title}", "     - Meaning"]
    for names, text in rows:
        shown = re.sub(r"(?<=<)list\[str\](?=>)", "str", names).replace(" range>", ">")
        shown = re.sub("[ ]<bool>", "", shown)
        lines += [f"   * - ``{shown}``", f"     - {_escaped(' '.join(text.split()))}"]
    return [*lines, ""]


def _escaped(text: str) -> str:
    return re.sub(r"([*`|_\\])", r"\\\1", text)


class CommandLine(SphinxDirective):
    """The directive."""

    def run(self) -> list[nodes.Node]:
        """Return the parsed sections."""
        from unknot.cli import _app

        self.env.note_dependency(_app.__file__)
        lines = StringList(describe_program(), "unknot.cli")
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_directive("command-line", CommandLine)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
