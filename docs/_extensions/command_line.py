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
    lines = _sections(program, "unknot")
    for name, command in program.commands.items():
        lines += describe_command(name, command)
    return lines


def describe_command(name: str, command: Any) -> list[str]:
    """Return the section of one command, as lines of reStructuredText."""
    from unknot.cli import examples_of, usage_of

    title = f"unknot {name}"
    lines = [f".. _command-{name}:", "", title, "-" * len(title), ""]
    lines += [*inspect.cleandoc(command.help or "").splitlines(), ""]
    lines += [".. code-block:: text", "", f"   {usage_of(command, title)}", ""]
    lines += _sections(command, name)
    lines += [".. code-block:: sh", "", *(f"   {each}" for each in examples_of(command)), ""]
    return lines


def _sections(command: Any, name: str) -> list[str]:
    """Return a table for each section of the help."""
    from unknot.cli import sections_of

    options = {"help_option_names": ["-h", "--help"]}
    context = command.make_context(name, [], resilient_parsing=True, **options)
    lines: list[str] = []
    for heading, rows in sections_of(command, context).items():
        title = heading.removesuffix("s") if heading in ("Arguments", "Options") else heading
        lines += _table(title, rows)
    return lines


def _table(title: str, rows: list[tuple[str, str]]) -> list[str]:
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 35 65", ""]
    lines += [f"   * - {title}", "     - Meaning"]
    for names, text in rows:
        lines += [f"   * - ``{names}``", f"     - {_escaped(' '.join(text.split()))}"]
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
