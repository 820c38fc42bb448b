"""The records of further labelings of the same samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._store.records import LabelingRecord, version_for
from .extraction import Extracted
from .labeling import Labeling


def version_of(labelings: Mapping[str, Labeling]) -> int:
    """Return the version of the format that a study with these labelings needs."""
    return version_for(
        unlabeled=not all(labeling.labeled.all() for labeling in labelings.values()),
        values=any(labeling.values is not None for labeling in labelings.values()),
        several=len(labelings) > 1,
    )


def other_labelings(
    labelings: Mapping[str, Labeling],
    paths: Mapping[str, Any],
    extracted: Extracted,
    controls: Mapping[str, Mapping[str, dict[str, str]]],
) -> tuple[LabelingRecord, ...]:
    """Return a record of each labeling but the first.

    Parameters
    ----------
    labelings : mapping of str to Labeling
    paths : mapping
        What `prepare_data` returned: the codes of the first labeling are beside the others'.
    extracted : Extracted
    controls : mapping of str to mapping of str to dict
        The scores' path of each layer, by control and labeling.
    """
    records = []
    for number, (key, labeling) in enumerate(labelings.items()):
        if not number:
            continue
        folder = paths["labels"].rpartition("/")[0]
        answered = extracted.answers[key]
        records.append(
            LabelingRecord(
                name=key,
                labels=f"{folder}/labels-{number}",
                values=None if labeling.values is None else f"{folder}/values-{number}",
                class_names=answered.class_names,
                predictions=answered.predictions,
                probabilities=answered.probabilities,
                controls={control: of_all[key] for control, of_all in controls.items()},
                notes=(*labeling.notes, *answered.notes),
            )
        )
    return tuple(records)
