"""The records of ``study.json``: what is written is what is read, key by key."""

import json
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from unknot.studies._store.layer_records import GraphRecord, LayerRecord
from unknot.studies._store.records import Manifest, MomentRecord

STORED = Path(__file__).parent / "data" / "study-1" / "study.json"
LAYER = LayerRecord(
    "fc1",
    "Dense",
    (3, 4),
    notes=("a note",),
    reduction={"method": "pool"},
    points="parts/a/points",
    graph=GraphRecord("parts/b", "euclidean", 1.0),
    map="parts/c/map",
    kl_divergence=1.5,
    scores="parts/d/scores.json",
)
MOMENT = MomentRecord("parts/p", None, (LAYER,), {"untrained": {"fc1": "parts/u/000.json"}}, ("n",))
MANIFEST = Manifest(
    name="model",
    class_names=("cat", "dog"),
    labels="parts/l",
    thumbnails=None,
    snippets=None,
    moment=MOMENT,
    epochs={2: MOMENT, 10: MOMENT},
    settings={"k": 6},
    versions={"unknot": "0"},
    parts=("parts/a",),
)


@pytest.mark.parametrize(
    "record", [LAYER, MOMENT, MANIFEST], ids=lambda record: type(record).__name__
)
def test_what_is_written_is_read(record):
    written = json.loads(json.dumps(record.to_json()))
    assert type(record).from_json(written) == record
    # A later version may write more.
    assert type(record).from_json({**written, "more": 1}) == record


def test_a_stored_manifest_is_written_as_it_was():
    stored = json.loads(STORED.read_text())
    assert Manifest.from_json(stored).to_json() == stored


@pytest.mark.parametrize(
    "key", ["name", "labels", "layers", "controls", "epochs", "parts", "notes"]
)
def test_a_missing_key_is_an_error(key):
    written = MANIFEST.to_json()
    del written[key]
    with pytest.raises(KeyError, match=key):
        Manifest.from_json(written)


def test_a_view_has_the_results_of_its_layer():
    view = LAYER.viewed_as(LayerRecord("flatten", "Flatten", (12,), same_as="fc1", notes=("v",)))
    assert view.name == "flatten"
    assert view.shape == (12,)
    assert view.notes == ("v",)
    assert (view.map, view.scores, view.graph) == (LAYER.map, LAYER.scores, LAYER.graph)
    assert view.points is None


def test_records_do_not_change():
    with pytest.raises(FrozenInstanceError):
        LAYER.name = "other"
    assert MOMENT.without_points().layers == (replace(LAYER, points=None),)
    assert MANIFEST.with_parts(["parts/b"]).parts == ("parts/b",)
