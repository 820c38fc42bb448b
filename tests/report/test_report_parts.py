"""The payload of a notebook in parts: taken out, sent one at a time, and shown as they come."""

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from report_studies import epoch_study, pictures_of, study_of

import unknot
import unknot.report._widget as widget_module
from unknot.report import Widget, build_payload
from unknot.report._parts import frames, split_payload

SHOW = """async ({bundle, css, state}) => {
    const style = document.head.appendChild(document.createElement("style"));
    style.textContent = css;
    const address = URL.createObjectURL(new Blob([bundle], { type: "text/javascript" }));
    const { default: widget } = await import(address);
    const bytes = text => new DataView(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);
    const shown = {};
    const listeners = {};
    let changed = {};
    const receive = found => {
        for (const [name, value] of Object.entries(found))
            shown[name] = ["base", "part"].includes(name) ? bytes(value) : value;
        for (const name of Object.keys(found))
            for (const listener of listeners[`change:${name}`] ?? []) listener();
    };
    window.receive = receive;
    receive(state);
    const model = {
        get: name => shown[name],
        set: (name, value) => { shown[name] = value; changed[name] = value; },
        save_changes: () => {
            const told = changed;
            changed = {};
            window.told(told).then(receive);
        },
        on: (event, listener) => (listeners[event] ??= []).push(listener),
        off: (event, listener) => {
            listeners[event] = (listeners[event] ?? []).filter(each => each !== listener);
        },
    };
    document.body.innerHTML = "<main id=place></main>";
    window.leave = widget.render({ model, el: document.getElementById("place") });
}"""


def joined(sent):
    """Read frames as the page does."""
    found, at = {}, 4
    while at < len(sent):
        name, size = sent[at : at + 16].decode(), int.from_bytes(sent[at + 16 : at + 20], "little")
        found[name] = sent[at + 20 : at + 20 + size]
        at += 20 + size
    return found


def filled(value, parts):
    """Put the bytes back."""
    if isinstance(value, dict) and "at" in value:
        name, start, end = value["at"]
        text = base64.b64encode(parts[name][start:end]).decode()
        if "type" in value:
            return f"data:{value['type']};base64,{text}"
        return {"dtype": value["dtype"], "data": text}
    if isinstance(value, dict):
        return {key: filled(each, parts) for key, each in value.items()}
    return [filled(each, parts) for each in value] if isinstance(value, list) else value


def pictured():
    study = study_of(300, 3, 3, measured=False)
    return replace(study, thumbnails=pictures_of(study.labels))


@pytest.mark.parametrize("make", [epoch_study, pictured])
def test_what_is_taken_out_is_all_there(make):
    payload = build_payload(make())
    found = split_payload(payload)
    whole = filled({key: v for key, v in found.payload.items() if key != "parts"}, found.parts)
    assert whole == payload
    assert [size for _, size in found.payload["parts"]] == [*map(len, found.parts.values())]


def test_the_text_holds_no_arrays():
    study = study_of(5000, 10, 3, measured=False, graphs=False)
    payload = build_payload(study)
    text = json.dumps(split_payload(payload).payload)
    assert len(text) < 40_000 < len(json.dumps(payload))
    assert '"data"' not in text
    assert "base64" not in text


def test_each_layer_is_a_part_of_its_own():
    found = split_payload(build_payload(study_of(300, 3, 3, measured=False)))
    layers = found.payload["models"][0]["layers"]
    names = [layer["map"]["x"]["at"][0] for layer in layers]
    assert found.names[1:] == names
    assert found.payload["labels"]["at"][0] == found.names[0]
    for layer, name in zip(layers, names, strict=True):
        assert {layer["hits"]["at"][0], layer["neighbors"]["indices"]["at"][0]} == {name}


def test_layers_of_other_maps_are_parts_of_their_own():
    points = np.random.default_rng(0).normal(size=(60, 4))
    study = unknot.study(
        {"fc1": points, "fc2": 2 * points}, (None, np.repeat([0, 1], 30)),
        maps={"mine": {"fc1": points[:, :2], "fc2": points[:, 2:]}}, max_iter=250,
        measures="neighborhood_hit", progress=False,
    )  # fmt: skip
    payload = build_payload(study)
    found = split_payload(payload)
    parts_of = {}
    for path, *value in found.payload["maps"][1]["changes"]:
        for at in re.findall(r'"at": \["(\w+)"', json.dumps(value)):
            parts_of.setdefault(tuple(path[:4]), set()).add(at)
    assert len(parts_of) == 2
    assert all(len(names) == 1 for names in parts_of.values())
    assert len(set.union(*parts_of.values())) == 2
    assert filled({key: v for key, v in found.payload.items() if key != "parts"}, found.parts) == (
        payload
    )


def test_a_name_like_a_picture_stays_a_name():
    hostile = "data:image/png;base64,AAAA"
    study = study_of(60, 2, 1, measured=False, class_names=(hostile, "b"))
    payload = split_payload(build_payload(study)).payload
    assert payload["classNames"] == [hostile, "b"]


def test_frames_are_never_the_same_twice():
    parts = {"a" * 16: b"xyz", "b" * 16: b""}
    one, other = (frames(parts, parts) for _ in range(2))
    assert one != other
    assert joined(one) == joined(other) == parts


def test_a_small_page_is_sent_at_once_and_a_large_one_by_layers(monkeypatch):
    study = study_of(300, 3, 3, measured=False)
    names = split_payload(build_payload(study)).names
    widget = Widget(study)
    assert [*joined(widget.base)] == names
    assert widget.part == b""
    monkeypatch.setattr(widget_module, "AT_ONCE", 1000)
    widget = Widget(study)
    assert [*joined(widget.base), *joined(widget.part)] == names[:2]
    widget.set_state({"wanted": [names[3], "0"]})
    assert [*joined(widget.part)] == [names[3]]
    before = widget.part
    widget.set_state({"wanted": [names[3], "1"]})
    assert widget.part != before
    assert joined(widget.part) == joined(before)
    widget.set_state({"wanted": ["unknown", "2"]})
    assert [*joined(widget.part)] == [names[3]]


class Shown:
    """A widget in a page, linked as a notebook links it."""

    def __init__(self, browser, widget):
        self.widget, self.asked = widget, []
        self.page = browser.new_page(viewport={"width": 1200, "height": 900})
        self.faults = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.expose_function("told", self._told)
        state = {name: self._plain(name) for name in ("payload", "base", "part", "layer", "status")}
        state["selection"] = widget.selection
        self.page.evaluate(SHOW, {"bundle": widget._esm, "css": widget._css, "state": state})

    def _plain(self, name):
        value = getattr(self.widget, name)
        return base64.b64encode(value).decode() if isinstance(value, bytes) else value

    def _told(self, changes):
        before = self.widget.part
        self.widget.set_state(changes)
        self.asked += changes.get("wanted", [])[:1]
        sent = self.widget.part != before
        return {"part": self._plain("part")} if sent else {}

    def wait_for_layer(self, name):
        self.page.locator(f"[data-testid=layer-slider][aria-valuetext^='{name}']").wait_for()
        self.page.locator("[data-testid=map][data-moving=false]").wait_for()


@pytest.mark.browser
def test_a_page_of_parts_asks_for_them_in_turn(browser, monkeypatch):
    monkeypatch.setattr(widget_module, "AT_ONCE", 1000)
    study = pictured()
    shown = Shown(browser, Widget(study))
    names = split_payload(build_payload(study)).names
    shown.wait_for_layer("inputs")
    shown.page.wait_for_function("() => document.querySelectorAll('.grayed').length === 0")
    assert shown.asked == names[2:]
    shown.page.get_by_test_id("layer-tick-2").click()
    shown.wait_for_layer("fc2")
    assert shown.widget.layer == "fc2"
    assert not shown.page.get_by_test_id("waiting").is_visible()
    assert shown.faults == []
    shown.page.close()


@pytest.mark.browser
def test_the_layer_that_is_looked_at_comes_first(browser, monkeypatch):
    monkeypatch.setattr(widget_module, "AT_ONCE", 1000)
    study = pictured()
    widget = Widget(study)
    widget.layer = "fc2"
    shown = Shown(browser, widget)
    names = split_payload(build_payload(study)).names
    shown.wait_for_layer("fc2")
    shown.page.get_by_text("There is no map").wait_for(state="hidden")
    assert shown.asked[0] == names[3]
    assert shown.faults == []
    shown.page.close()


@pytest.mark.browser
def test_without_an_answer_it_says_what_it_waits_for(browser, monkeypatch):
    monkeypatch.setattr(widget_module, "AT_ONCE", 1000)
    quiet = Widget(pictured())
    quiet.unobserve_all("wanted")
    shown = Shown(browser, quiet)
    shown.wait_for_layer("inputs")
    waiting = shown.page.get_by_test_id("waiting")
    waiting.get_by_text("2 of 4 parts are here").wait_for()
    shown.page.get_by_test_id("layer-tick-1").click()
    shown.page.get_by_text("Waiting for the map of fc1.").wait_for()
    # The kernel is idle again.
    names = quiet._parts.names
    sent = base64.b64encode(frames(quiet._parts.parts, names)).decode()
    shown.page.evaluate("sent => receive({ part: sent })", sent)
    shown.wait_for_layer("fc1")
    waiting.wait_for(state="hidden")
    assert shown.page.get_by_text("Waiting for the map").count() == 0
    assert shown.faults == []
    shown.page.close()
