"""``unknot measures``."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding
from rich.text import Text

from .._io.formatting import ARROWS, format_number
from ._app import command
from ._streams import Terminal, print_json

if TYPE_CHECKING:
    from ..metrics import Measure
else:
    Measure = Any


@command(
    "unknot measures",
    "unknot measures collapse linear_probe    # a family, and a measure",
    "unknot measures --json",
)
def measures(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME", help="Measure or family; several can be given.", show_default="all"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a list.")] = False,
) -> None:
    """List the measures: family, direction, range, and what each one says.

    Those with * are what a study measures by default; -m NAME of study and measure takes any.
    """
    from ..metrics import all_measures, check_names
    from ..studies import DEFAULT_MEASURES

    wanted = set(names or [])
    check_names(wanted, ())
    found = [
        entry
        for entry in all_measures()
        if not wanted or wanted & {entry.family, *entry.score_names}
    ]
    by_default = set(DEFAULT_MEASURES)
    if as_json:
        print_json(json.dumps([_described(entry, by_default) for entry in found], indent=2))
        return
    console = Terminal()
    family = None
    for entry in found:
        if entry.family != family:
            console.print() if family is not None else None
            family = entry.family
            console.print(Text(family, style="bold"))
        mark = " *" if by_default & set(entry.score_names) else ""
        line = Text("  ").append(entry.name, style="cyan")
        line.append(f" {ARROWS[entry.higher_is_better]} {_range(entry)}{mark}")
        console.print(line, highlight=False)
        console.print(Padding(Text(_sentence(entry)), (0, 0, 0, 6)), highlight=False)
    console.print()
    console.print(
        Text(
            "↑ higher is better, ↓ lower is, · neither; * in a study by default.",
            style="dim",
        )
    )


def _sentence(entry: Measure) -> str:
    needs = {
        "both": f" Also on the map, as map_{entry.name}.",
        "map": " Of the map only.",
        "pair": " Needs a map.",
    }
    return entry.sentence + needs.get(entry.spaces, "")


def _range(entry: Measure) -> str:
    low, high = (format_number(end) for end in (entry.low, entry.high))
    if low == "-inf":
        return "any number" if high == "inf" else f"up to {high}"
    return f"{low} up" if high == "inf" else f"{low} to {high}"


def _described(entry: Measure, by_default: set[str]) -> dict[str, Any]:
    ends = [None if abs(end) == float("inf") else float(end) for end in (entry.low, entry.high)]
    return {
        "name": entry.name,
        "names": entry.score_names,
        "family": entry.family,
        "title": entry.title,
        "sentence": entry.sentence,
        "range": ends,
        "higher_is_better": entry.higher_is_better,
        "space": entry.spaces,
        "in_a_study_by_default": bool(by_default & set(entry.score_names)),
    }
