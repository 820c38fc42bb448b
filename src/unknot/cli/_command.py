"""How commands show themselves: what options take, and examples below."""

import re
from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup

# What an option takes, by its name: the same thing is called the same in every command.
_METAVARS = {
    "backend": "NAME",
    "batch_size": "N",
    "class_names": "NAMES",
    "coherence": "X",
    "compare": "DIR",
    "csv": "FILE",
    "data": "DATA",
    "epochs": "N",
    "factory": "MODULE:FUNCTION",
    "family": "NAME",
    "ignore_labels": "LABEL",
    "k": "N",
    "label_kind": "KIND",
    "labels": "NAME",
    "layers": "NAME",
    "learning_rate": "X",
    "map_": "FILE",
    "max_iter": "N",
    "max_memory": "SIZE",
    "max_points": "N",
    "max_samples": "N",
    "measure": "NAME",
    "measures": "NAME",
    "metadata": "FILE",
    "method": "NAME",
    "metric": "NAME",
    "n_jobs": "N",
    "n_neighbors": "N",
    "n_refits": "N",
    "patterns": "NAME",
    "perplexity": "X",
    "pool": "KIND",
    "preprocess": "STEP",
    "project": "N",
    "random_state": "N",
    "reference": "NAME",
    "require": "TEXT",
    "samples": "FILE",
    "title": "TEXT",
    "width": "X",
}


# Lines of help that are longer are hard to read.
_MAX_WIDTH = 100


class Command(TyperCommand):
    """A command with a compact help, which ends with examples."""

    def __init__(self, name: str | None, **options: Any) -> None:
        super().__init__(name, **options)
        self.help = _unwrapped(self.help)

    def get_params(self, ctx: Any) -> list[Any]:
        """Return arguments and options, with what they take."""
        return _with_metavars(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        _print_help(self, ctx)


class Group(TyperGroup):
    """The program, with its commands."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the program's options, with what they take."""
        return _with_metavars(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        commands = [
            (name, (each.help or "").split("\n\n")[0]) for name, each in self.commands.items()
        ]
        _print_help(self, ctx, commands)


def usage_of(command: Any, path: str) -> str:
    """Return how a command is called, such as ``unknot report DIR [OPTIONS]``.

    Parameters
    ----------
    command : Command or Group
    path : str
        What is typed before the arguments.
    """
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    words = [
        (each.metavar if each.required else f"[{each.metavar}]") + "..." * (each.nargs != 1)
        for each in arguments
    ]
    last = "COMMAND ..." if hasattr(command, "commands") else "[OPTIONS]"
    return " ".join([path, *words, last])


def sections_of(command: Any, ctx: Any) -> dict[str, list[tuple[str, str]]]:
    """Return the rows of the help by their headings: arguments first, then groups of options."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for param in command.get_params(ctx):
        if getattr(param, "hidden", False):
            continue
        if param.param_type_name == "argument":
            default = f" [default: {param.show_default}]" if _has_text(param.show_default) else ""
            sections.setdefault("Arguments", []).append((param.metavar, param.help + default))
            continue
        names = ", ".join(sorted(param.opts, key=len))
        both = " / ".join([names, *param.secondary_opts])
        text = re.sub(
            r" +\[default: \((.*)\)(?=[];])", r" [default: \1", param.get_help_record(ctx)[1]
        )
        row = f"{both} {param.metavar or ''}".rstrip(), re.sub(" +", " ", text)
        sections.setdefault(param.rich_help_panel or "Options", []).append(row)
    return sections


def _has_text(value: object) -> bool:
    return isinstance(value, str)


def _print_help(command: Any, ctx: Any, commands: Sequence[tuple[str, str]] = ()) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.rule import Rule
    from rich.table import Table
    from rich.text import Text

    console = Console()
    width = min(console.width, _MAX_WIDTH)

    def say(text: Any, indent: int = 0) -> None:
        padded = Padding(text, (0, 0, 0, indent), expand=isinstance(text, Rule))
        console.print(padded, width=width, highlight=False)

    say(Text(f"Usage: {usage_of(command, ctx.command_path)}", style="bold"))
    for paragraph in (command.help or "").split("\n\n"):
        console.print()
        say(Text(paragraph), 2)
    sections = sections_of(command, ctx)
    if commands:
        sections["Commands"] = list(commands)
    for heading, rows in sections.items():
        console.print()
        say(Rule(Text(heading, style="bold"), align="left", style="dim"))
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
        table.add_column(style="cyan", max_width=width * 2 // 5, overflow="fold")
        table.add_column(overflow="fold")
        for names, text in rows:
            table.add_row(Text(names), Text(text))
        say(table, 2)
    if command.epilog:
        console.print()
        say(Rule(Text("Examples", style="bold"), align="left", style="dim"))
        for line in examples_of(command):
            say(Text(line), 2)


def examples_of(command: Any) -> list[str]:
    """Return the examples of a command, as they are typed."""
    return (command.epilog or "").splitlines()


def _with_metavars(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""
        elif param.metavar is None:
            param.metavar = _METAVARS.get(param.name)
    return params


def _unwrapped(text: str | None) -> str | None:
    """Join the lines of each paragraph, which the terminal wraps at its own width."""
    if text is None:
        return None
    return "\n\n".join(" ".join(each.split()) for each in text.split("\n\n"))
