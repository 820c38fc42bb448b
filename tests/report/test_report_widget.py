"""The Python side of the widget."""

import importlib.util
import json

import numpy as np
import pytest
from report_studies import study_of
from traitlets import TraitError

import unknot
from unknot._extras import MissingExtraError
from unknot.report._parts import split_payload


@pytest.fixture(scope="module")
def made(study):
    return unknot.report.Widget(study)


@pytest.fixture
def widget(made):
    made.layer, made.selection = "inputs", []
    return made


def test_it_holds_the_payload_and_starts_at_the_first_layer(widget, payload):
    assert json.loads(widget.payload) == split_payload(payload).payload
    assert widget.layer == "inputs"
    assert widget.selection == []


def test_it_is_the_same_program_as_the_page(widget):
    static = unknot.report._page.static_path
    assert widget._esm == static("unknot.js").read_text(encoding="utf-8")
    assert widget._css == static("unknot.css").read_text(encoding="utf-8")


def test_layer_and_selection_are_synchronized(widget):
    synced = widget.keys
    assert {"payload", "base", "part", "wanted", "layer", "selection"} <= set(synced)
    widget.set_state({"layer": "fc3", "selection": [7, 2]})  # as the page does
    assert widget.layer == "fc3"
    assert widget.selection == [2, 7]


@pytest.mark.parametrize(
    "given", [[5, 3, 5], (3, 5), np.array([3, 5]), np.isin(np.arange(600), [3, 5])]
)
def test_a_selection_is_a_list_of_ascending_indices(widget, given):
    widget.selection = given
    assert widget.selection == [3, 5]
    assert type(widget.selection[0]) is int


def test_what_was_selected_can_be_cleared(widget):
    widget.selection = [1]
    widget.selection = []
    assert widget.selection == []


def test_an_unknown_layer_is_named_with_the_nearest(widget):
    with pytest.raises(
        TraitError, match=r"layer must be one of inputs, fc1, .*; got 'fc_1'; did you mean 'fc1'\?"
    ):
        widget.layer = "fc_1"
    assert widget.layer == "inputs"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([600], "selection must hold indices from 0 to 599; got 600"),
        ([-1], "selection must hold indices from 0 to 599; got -1"),
        ([0.5], "selection must be a list of sample indices, or one boolean .*; got float64"),
        (
            np.zeros(3, dtype=bool),
            r"one boolean for each of the 600 samples; got bool of shape \(3,\)",
        ),
        (5, "selection must be a list of sample indices"),
    ],
)
def test_wrong_selections_are_refused(widget, wrong, message):
    widget.selection = [1]
    with pytest.raises(TraitError, match=message):
        widget.selection = wrong
    assert widget.selection == [1]


def test_two_models_have_the_layers_of_both():
    widget = unknot.report.Widget(
        study_of(40, 2, 2, measured=False), other=study_of(40, 2, 3, measured=False)
    )
    widget.layer = "fc2"
    assert len(json.loads(widget.payload)["models"]) == 2


def test_without_anywidget_the_pip_command_is_named(monkeypatch):
    monkeypatch.delitem(unknot.report.__dict__, "Widget", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        MissingExtraError, match=r'The widget needs anywidget, .* pip install "unknot\[notebook\]"'
    ):
        _ = unknot.report.Widget
