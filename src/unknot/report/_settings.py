"""How the studies of a page were made, as text."""

from collections.abc import Mapping
from typing import Any

from ..studies import Study
from ._options import NEIGHBORS, Options


def settings_entry(studies: list[Study], names: list[str], options: Options) -> dict[str, str]:
    """Return the settings, versions and run times of the studies as text."""
    settings: dict[str, str] = {}
    if options.n_neighbors < NEIGHBORS:
        settings["neighbors stored of each sample"] = str(options.n_neighbors)
    if options.points is not None:
        n_shown, n_samples = len(options.points), len(studies[0].labels)
        how = "in proportion to the classes" if studies[0].targets is None else "at random"
        settings["samples shown"] = (
            f"{n_shown:,} of {n_samples:,}, drawn {how}; scores, confusion, hulls and ellipses are "
            "of all samples"
        )
    for study, name in zip(studies, names, strict=True):
        prefix = f"{name}: " if len(studies) > 1 else ""
        for heading, values in (
            ("", study.settings),
            ("version of ", study.versions),
            ("seconds of ", study.seconds),
        ):
            for key, value in values.items():
                settings[f"{prefix}{heading}{key}"] = _as_text(value)
        if study.notes:
            settings[f"{prefix}notes"] = ". ".join(study.notes)
    return settings


def _as_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_as_text(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_as_text, value)) or "none"
    return "none" if value is None else str(value)
