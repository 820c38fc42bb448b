"""The payload of the page."""

import json
from dataclasses import replace

import numpy as np
import pytest
from report_studies import HOSTILE, full_study, study_of

import unknot
from unknot.metrics import (
    best_ellipses,
    convex_hulls,
    neighbor_confusion,
    neighborhood_hit,
    peeled_hulls,
)
from unknot.report import build_payload
from unknot.report._packing import unpack, unpack_confusion


def layer(payload, name, model=0):
    return next(entry for entry in payload["models"][model]["layers"] if entry["name"] == name)


def test_the_payload_is_plain_json(payload):
    assert json.loads(json.dumps(payload, allow_nan=False)) == payload


def test_labels_predictions_and_confidence(payload, study):
    assert payload["format"] == 3
    assert payload["unknot"] == unknot.__version__
    assert payload["nSamples"] == 600
    assert payload["classNames"] == [str(number) for number in range(10)]
    assert unpack(payload["labels"]).tolist() == study.labels.tolist()
    assert unpack(payload["predictions"]).tolist() == study.predictions.tolist()
    confidence = unpack(payload["confidence"]) / 255
    assert np.abs(confidence - study.probabilities.max(axis=1)).max() <= 0.5 / 255 + 1e-6
    assert payload["models"][0]["accuracy"] == study.accuracy


def test_layers_stand_in_order(payload, study):
    model = payload["models"][0]
    assert [entry["name"] for entry in model["layers"]] == list(study.layers)
    assert layer(payload, "fc1")["kind"] == "Dense"
    assert layer(payload, "fc1")["klDivergence"] == 1.5


def test_what_was_done_to_a_layer_before_it_was_measured_is_said(payload):
    assert layer(payload, "fc1")["reduction"] is None
    said = layer(payload, "fc2")["reduction"]
    assert "pooled: mean over a grid of 4 × 4" in said
    assert "projected at random from 512 to 256 numbers" in said
    assert "distances change by 3.1% typically and 9.0% at most" in said


def test_hits_are_those_of_the_measure(payload, study):
    of = study.layers["fc1"]
    assert layer(payload, "fc1")["hitK"] == 6
    # In this study the points are the map itself.
    expected = neighborhood_hit(of.map, study.labels, 6).per_point
    for field in ("hits", "mapHits"):
        shown = unpack(layer(payload, "fc1")[field]) / 255
        assert np.abs(shown - expected).max() <= 0.5 / 255 + 1e-6


def test_neighbors_are_the_nearest_of_the_graph(payload, study):
    near = layer(payload, "fc2")["neighbors"]
    assert near["k"] == 8
    table = unpack(near["indices"]).reshape(600, 8)
    assert np.array_equal(table, study.layers["fc2"].graph.indices[:, :8])


def test_confusion_is_that_of_the_measure(payload, study):
    of = study.layers["fc1"]
    expected = neighbor_confusion(of.map, study.labels, 6).per_pair
    table = unpack_confusion(layer(payload, "fc1")["confusion"])
    assert np.abs(table - expected).max() <= 0.5 / 65535 + 1e-9
    assert np.allclose(table.sum(axis=1), 1, atol=1e-4)


def test_shapes_are_those_of_the_measures(payload, study):
    map_ = study.layers["fc3"].map
    entry = layer(payload, "fc3")
    hulls = convex_hulls(map_, study.labels)
    for polygons, vertices in zip(entry["hulls"], hulls.vertices, strict=True):
        assert np.allclose(polygons[0], vertices, rtol=1e-4)
    peeled = peeled_hulls(map_, study.labels)
    for polygons, vertices in zip(entry["peeled"], peeled.vertices, strict=True):
        assert np.allclose(polygons[0], vertices, rtol=1e-4)
    ellipses = best_ellipses(map_, study.labels)
    for number, ellipse in enumerate(entry["ellipses"]):
        assert np.allclose(ellipse["center"], ellipses.means[number], rtol=1e-4)
        assert np.allclose(ellipse["axes"], ellipses.semi_axes[number], rtol=1e-4)
        assert np.isclose(ellipse["angle"], ellipses.angles[number], rtol=1e-4)


def test_scores_with_intervals_chance_and_classes(payload, study):
    score = study.layers["fc4"].scores["neighborhood_hit"]
    entry = layer(payload, "fc4")["scores"]["neighborhood_hit"]
    assert entry["value"] == score.value
    assert entry["interval"] == list(score.interval)
    assert entry["null"] == score.null
    assert entry["nullInterval"] == list(score.null_interval)
    assert entry["perClass"] == score.per_class.tolist()
    assert "reason" not in entry


def test_measures_are_described_once(payload, study):
    assert [entry["name"] for entry in payload["measures"]] == [
        "neighborhood_hit", "map_neighborhood_hit", "best_ellipses", "linear_probe", "nc1",
        "two_nn",
    ]  # fmt: skip
    hit, *_, dimension = payload["measures"]
    assert hit == {
        "name": "neighborhood_hit", "title": "Neighborhood Hit", "family": "neighborhood",
        "space": "native", "better": "more", "range": [0.0, 1.0],
    }  # fmt: skip
    assert dimension["range"] == [0.0, None]


def test_a_view_repeats_nothing(payload):
    entry = layer(payload, "dropout")
    assert entry["sameAs"] == "fc5"
    assert entry["scores"] == {}
    for field in ("map", "hits", "mapHits", "neighbors", "confusion", "hulls", "ellipses"):
        assert entry[field] is None


def test_a_layer_without_a_map_says_why_and_what_is_missing(payload):
    entry = layer(payload, "dead")
    assert entry["map"] is None
    assert entry["notes"][0] == "dead: all points are at one place"
    score = entry["scores"]["nc1"]
    assert score["value"] is None
    assert score["reason"].startswith("NC1 divides by the spread of the class means")


def test_what_is_not_a_number_is_null_with_a_reason():
    study = study_of(60, 2, 2)
    scores = study.layers["fc1"].scores
    broken = replace(
        scores["two_nn"], value=float("nan"), interval=(float("nan"), 1.0), null=float("inf")
    )
    scores.scores["two_nn"] = broken
    entry = layer(build_payload(study), "fc1")["scores"]["two_nn"]
    assert (entry["value"], entry["interval"], entry["null"]) == (None, None, None)
    assert entry["reason"] == "it came out as nan"


def test_controls_and_epochs(payload, study):
    model = payload["models"][0]
    control = model["controls"][0]
    assert control["name"] == "untrained"
    assert control["scores"]["fc1"]["two_nn"] == study.layers["fc1"].scores["two_nn"].value
    epochs = model["epochs"]
    assert epochs["epochs"] == [1, 5]
    (first,) = epochs["moments"]
    (then,) = (entry for entry in first["layers"] if entry["name"] == "fc1")
    now = layer(payload, "fc1")
    assert then["map"]["xRange"] == now["map"]["yRange"] != now["map"]["xRange"]
    assert then["scores"] == now["scores"]
    assert first["predictions"] == model["predictions"]


def test_settings_are_text(payload):
    assert payload["settings"] == {
        "k": "6", "random_state": "0", "version of unknot": "0.1.0", "seconds of maps": "1.25",
    }  # fmt: skip


def test_a_study_without_anything_but_a_map():
    study = study_of(30, 2, 1, measured=False)
    bare = replace(
        study, predictions=None, probabilities=None,
        layers={"inputs": replace(study.layers["inputs"], graph=None, kl_divergence=None)},
    )  # fmt: skip
    payload = build_payload(bare)
    assert payload["predictions"] is None
    assert payload["confidence"] is None
    assert payload["thumbnails"] is None
    assert payload["snippets"] is None
    assert payload["measures"] == []
    entry = layer(payload, "inputs")
    assert entry["hits"] is None
    assert entry["neighbors"] is None
    assert len(unpack(entry["mapHits"])) == 30


def test_a_study_without_maps_has_no_figure():
    study = study_of(30, 2, 1)
    payload = build_payload(
        replace(study, layers={"inputs": replace(study.layers["inputs"], map=None)})
    )
    assert payload["figure"] is None
    assert layer(payload, "inputs")["hits"] is not None


def test_snippets_are_kept_short():
    study = replace(study_of(30, 2, 1, measured=False), snippets=("word " * 200,) * 30)
    snippet = build_payload(study)["snippets"][0]
    assert len(snippet) == 400
    assert snippet.endswith("…")


def test_a_class_without_samples_has_no_shape():
    study = study_of(60, 3, 1)
    kept = study.layers["inputs"].map[study.labels != 1]
    labels = study.labels[study.labels != 1]
    scores = unknot.measure(
        kept, labels, kept, ["neighborhood_hit"], n_resamples=0, n_permutations=0
    )
    some = replace(
        study, labels=labels, predictions=None, probabilities=None,
        layers={
            "inputs": replace(
                study.layers["inputs"], map=kept, scores=scores,
                graph=unknot.nearest_neighbors(kept, 10),
            )
        },
    )  # fmt: skip
    entry = layer(build_payload(some), "inputs")
    assert entry["hulls"][1] == []
    assert entry["ellipses"][1] is None
    assert unpack_confusion(entry["confusion"])[1].tolist() == [0, 0, 0]
    assert np.isclose(unpack_confusion(entry["confusion"])[2].sum(), 1, atol=1e-4)
    per_class = entry["scores"]["neighborhood_hit"]["perClass"]
    assert per_class[1] is None
    assert per_class[2] == scores["neighborhood_hit"].per_class[1]


def test_a_class_whose_overlaps_are_undefined_has_its_outline():
    study = study_of(60, 2, 1, measured=False)
    rng = np.random.default_rng(0)
    # A class 1e-10 times as wide as the map: its hull has no area that can be computed.
    spread, middle = np.array([1e-4, 1e3]), np.array([0.0, 1e6])
    labels = np.asarray(study.labels)
    map_ = rng.normal(size=(60, 2)) * spread[labels, None] + middle[labels, None]
    name = next(iter(study.layers))
    layers = {name: replace(study.layers[name], map=map_.astype(np.float32))}
    with pytest.raises(unknot.metrics.UndefinedMeasureError, match="too small"):
        convex_hulls(map_.astype(np.float32), labels)
    (outline,) = layer(build_payload(replace(study, layers=layers)), name)["hulls"][0]
    assert len(outline) >= 3
    assert np.ptp(outline, axis=0).max() < 1e-3


def test_more_than_256_classes():
    study = study_of(900, 300, 1, measured=False)
    payload = build_payload(study)
    assert payload["labels"]["dtype"] == "u16"
    assert unpack(payload["labels"]).max() == 299


def test_hostile_names_are_kept_as_they_are():
    study = study_of(60, 10, 1, measured=False, class_names=HOSTILE, name=HOSTILE[0])
    payload = build_payload(study)
    assert payload["classNames"] == list(HOSTILE)
    assert payload["title"] == HOSTILE[0]


def test_two_studies_of_the_same_samples():
    first, second = study_of(60, 2, 2, measured=False), study_of(60, 2, 3, measured=False)
    payload = build_payload(first, other=second)
    assert [model["name"] for model in payload["models"]] == ["a network (1)", "a network (2)"]
    assert [len(model["layers"]) for model in payload["models"]] == [2, 3]
    assert build_payload(first, other=replace(second, name="b"))["title"] == "a network and b"


def test_studies_of_other_samples_are_refused():
    first = study_of(60, 2, 1, measured=False)
    with pytest.raises(ValueError, match="other must have the same 60 samples; it has 40"):
        build_payload(first, other=study_of(40, 2, 1, measured=False))
    with pytest.raises(ValueError, match=r"must have the same classes; one has '0', '1', the"):
        build_payload(first, other=replace(first, class_names=("a", "b")))
    with pytest.raises(ValueError, match="in the same order; the labels of 60 samples differ"):
        build_payload(first, other=replace(first, labels=1 - first.labels))


def test_wrong_arguments_and_maps_are_refused():
    study = study_of(30, 2, 1, measured=False)
    with pytest.raises(ValueError, match="n_neighbors must be 0 or more; got -1"):
        build_payload(study, n_neighbors=-1)
    map_ = study.layers["inputs"].map.copy()
    map_[3] = np.nan
    broken = replace(study, layers={"inputs": replace(study.layers["inputs"], map=map_)})
    with pytest.raises(
        ValueError, match=r"the map of 'inputs' must be finite .* with 2 non-finite values"
    ):
        build_payload(broken)


def test_no_neighbors_can_be_asked_for(study):
    assert layer(build_payload(full_study(60), n_neighbors=0), "fc1")["neighbors"] is None


def test_differences_of_layers_are_those_of_the_study(payload, study):
    found = study.compare_layers()
    names = list(study.layers)
    entries = {(tuple(e["first"]), tuple(e["second"])): e for e in payload["differences"]}
    # Neither the view nor the dead layer is compared.
    assert set(entries) == {((0, i), (0, i + 1)) for i in range(5)}
    for row in found:
        first, second = (names.index(name) for name in row.layers)
        entry = entries.get(((0, first), (0, second)))
        if row.interval is None:
            assert entry is None or row.measure not in entry["scores"]
        else:
            assert entry["count"] == found.n_compared
            assert entry["scores"][row.measure] == pytest.approx(
                [*row.interval, row.p_corrected], rel=1e-3
            )


def test_two_models_have_the_differences_of_their_layers():
    one, two = full_study(), full_study(seed=1, name="another")
    two = replace(two, labels=one.labels)
    entries = build_payload(one, other=two)["differences"]
    models = [(entry["first"][0], entry["second"][0]) for entry in entries]
    assert models.count((0, 0)) == models.count((1, 1)) == 5
    assert models.count((0, 1)) == 0  # their inputs differ: not the same samples
    entries = build_payload(one, other=replace(one, name="copy"))["differences"]
    between = [entry for entry in entries if entry["first"][0] != entry["second"][0]]
    assert [entry["first"][1] for entry in between] == list(range(6))
    assert between[1]["scores"]["neighborhood_hit"] == [0, 0, 1]


def test_intervals_of_maps_are_marked(payload):
    scores = layer(payload, "fc1")["scores"]
    assert scores["map_neighborhood_hit"]["givenMap"]
    assert "givenMap" not in scores["neighborhood_hit"]


def test_a_page_that_grows_builds_what_is_new(monkeypatch):
    import unknot.report._payload as module
    from unknot.report import KeptMoments, build_live_payload

    study = study_of(120, 3, 3)

    def after(epochs):
        moments = {
            epoch: replace(
                study,
                layers={
                    name: replace(layer, map=layer.map + np.float32(epoch))
                    for name, layer in study.layers.items()
                },
            )
            for epoch in epochs
        }
        return replace(moments[max(epochs)], epochs=moments)

    built = []
    entry = module.layer_entry
    monkeypatch.setattr(module, "layer_entry", lambda layer, *more: built.append(layer.name)
                        or entry(layer, *more))  # fmt: skip
    kept, options = KeptMoments(), {"max_points": None, "n_jobs": None}
    tokens = {}
    costs = []
    for epoch in range(6):
        tokens[epoch] = object()
        kept.studied = dict(tokens)
        built.clear()
        payload = build_live_payload(after(tokens), kept, **options)
        costs.append(len(built))
        assert payload == build_payload(after(tokens), max_points=None)
    # The newest epoch, and the one that was it before.
    assert costs[0] == 3
    assert set(costs[1:]) == {6}
    # An epoch that was studied anew is built anew, as are those whose studies are not known.
    tokens[2] = object()
    kept.studied = dict(tokens)
    built.clear()
    build_live_payload(after(tokens), kept, **options)
    assert len(built) == 3 + 3
    kept.studied = {}
    built.clear()
    build_live_payload(after(tokens), kept, **options)
    assert len(built) == 6 * 3
