"""Requirements on a study: what holds, what fails, and what is refused."""

import math
from dataclasses import replace

import pytest

from unknot.studies import RequirementError


@pytest.mark.parametrize(
    "text",
    [
        "neighborhood_hit(fc2) >= 0.5",
        "neighborhood_hit(fc2)>50%",
        "neighborhood_hit(fc2) > 50 %",
        "0.5 <= neighborhood_hit(fc2)",
        "neighborhood_hit('fc2') ≥ 5e-1",
        "neighborhood_hit(last) == neighborhood_hit(-1)",
        "neighborhood_hit(fc2) > neighborhood_hit(fc1)",
        "neighborhood_hit(fc2) - neighborhood_hit(fc1) > 1 %",
        "neighborhood_hit(fc*) >= neighborhood_hit(fc*)",
        "neighborhood_hit(first) == neighborhood_hit(inputs)",
        "kl_divergence(fc1) > 0",
    ],
)
def test_what_holds(study, text):
    found = study.require(text)
    assert all(row.holds for row in found)
    assert not len(found.failed)


def test_all_layers_of_a_pattern_must_hold(study):
    with pytest.raises(RequirementError) as caught:
        study.require("neighborhood_hit(fc*) >= 0.99", "kl_divergence(fc1) > 0", "nc1(fc2) < 0")
    # nc1 cannot be below 0, but 0 itself is in its range.
    failed = caught.value.failed
    assert [row.subject for row in failed][-1] == "nc1(fc2) < 0"
    message = str(caught.value)
    assert message.startswith(f"made up: {len(failed)} requirements do not hold:")
    assert "neighborhood_hit(fc1) >= 0.99" in message
    assert "is not >= 0.99" in message
    assert isinstance(caught.value, AssertionError)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("accuracy >= 0.1", "the study has no accuracy"),
        ("neighborhood_hit(dead) > 0.1", "it was not measured: all points coincide"),
        ("neighborhood_hit(dead) < 0.1", "it was not measured: all points coincide"),
        ("silhouette(fc1) > -1", "fc1 was not measured by silhouette"),
    ],
)
def test_what_has_no_value_never_holds(study, text, reason):
    with pytest.raises(RequirementError, match=reason):
        study.require(text)


def test_nan_never_holds(study):
    scores = study["fc2"].scores
    hit = replace(scores["neighborhood_hit"], value=math.nan)
    broken = replace(scores, scores={**scores.scores, "neighborhood_hit": hit})
    layers = {**study.layers, "fc2": study["fc2"].with_scores(broken)}
    for operator in ("<", ">", "=="):
        with pytest.raises(RequirementError, match="NaN"):
            replace(study, layers=layers).require(f"neighborhood_hit(fc2) {operator} 0.5")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("accuracy >= 98", r"from 0 to 1, never beyond; got 98; write 98 %"),
        ("neighborhood_hit(fc1) <= 98", r"write 98 %"),
        ("neighborhod_hit(fc1) > 0", r"no measure 'neighborhod_hit'; did you mean"),
        ("neighborhood_hit(fx1) > 0", r"no layer 'fx1'; did you mean 'fc1'"),
        ("neighborhood_hit(99) > 0", r"layers are numbered 0 to"),
        ("neighborhood_hit(fc1, trained) > 0", r"no control 'trained'"),
        ("two_nn(fc1) > 5 %", r"percent are of shares"),
        ("1 > 0", r"compares numbers with each other"),
        ("0.1 < neighborhood_hit(fc1) < 1", r"has several"),
        ("neighborhood_hit(fc1) = 1", r"has '='"),
        ("neighborhood_hit(fc1) != 1", r"has '!='"),
        ("neighborhood_hit(fc1)", r"has none"),
        ("neighborhood_hit > 0", r"needs a layer"),
        ("neighborhood_hit() > 0", r"needs a layer"),
        ("neighborhood_hit(fc1) > nan", r"nan needs a layer"),
        ("neighborhood_hit(fc1 > 0", r"has none"),
        ("__import__('os').system('true') > 0", r"cannot be read"),
        ("neighborhood_hit(fc*) > neighborhood_hit(d*)", r"cannot be compared with"),
        ("", r"a requirement is such as"),
    ],
)
def test_what_is_refused(study, text, message):
    with pytest.raises(ValueError, match=message):
        study.require(text)


def test_nothing_required_is_an_error(study):
    with pytest.raises(ValueError, match="at least one requirement"):
        study.require()


def test_a_table_of_requirements(study):
    found = study.require("neighborhood_hit(fc2) >= 0.5")
    assert "neighborhood_hit(fc2) >= 0.5" in str(found)
    assert found.to_dict()["rows"][0]["holds"] is True
