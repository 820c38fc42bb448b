"""The page as a file: self-contained, without network access, with escaped data."""

import base64
import hashlib
import json
import os
import re
import tempfile
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from report_studies import HOSTILE, study_of

from unknot.report import _page, build_payload, write_report


class Elements(HTMLParser):
    """Collect the elements of a page in order, with their attributes and text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found, self.inside = [], False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes), ""))
        self.inside = True

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            tag, attributes, text = self.found[-1]
            self.found[-1] = (tag, attributes, text + data)

    def named(self, tag):
        return [(attributes, text) for found, attributes, text in self.found if found == tag]


def read(path):
    return Elements(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory):
    study = study_of(100, 10, 2, measured=False, class_names=HOSTILE, name=HOSTILE[1])
    study = replace(study, snippets=HOSTILE * 10, settings={HOSTILE[0]: HOSTILE[1]})
    return write_report(study, tmp_path_factory.mktemp("page") / "report.html"), study


def test_the_data_in_the_file_are_the_payload(study, payload, tmp_path):
    path = write_report(study, tmp_path / "report.html")
    scripts = read(path).named("script")
    assert [attributes.get("type") for attributes, _ in scripts] == ["application/json", "module"]
    assert scripts[0][0]["id"] == "unknot-data"
    assert json.loads(scripts[0][1]) == payload


def test_hostile_names_add_no_element(hostile_page):
    path, study = hostile_page
    elements = read(path)
    tags = [tag for tag, _, _ in elements.found]
    assert tags == [
        "html", "head", "meta", "meta", "meta", "meta", "meta", "title", "style", "body", "div",
        "div", "h1", "p", "noscript", "style", "script", "script",
    ]  # fmt: skip
    assert elements.named("title")[0][1] == study.name
    payload = json.loads(elements.named("script")[0][1])
    assert payload["classNames"] == list(HOSTILE)
    assert payload["settings"][HOSTILE[0]] == HOSTILE[1]
    assert payload["snippets"][1] == HOSTILE[1]


def test_the_data_hold_no_tag_at_all(hostile_page):
    text = hostile_page[0].read_text(encoding="utf-8")
    data = text.split('id="unknot-data">')[1].split("</script>")[0]
    assert "<" not in data


def test_half_characters_of_file_names_can_be_written(tmp_path):
    study = study_of(40, 2, 1, measured=False, class_names=("caf\udce9", "b"), name="\udce9")
    path = write_report(study, tmp_path / "report.html")
    payload = json.loads(read(path).named("script")[0][1])
    assert payload["classNames"] == ["caf\ufffd", "b"]
    assert payload["figure"].startswith("data:image/png")
    assert read(path).named("title")[0][1] == "\ufffd"


def test_the_policy_lets_nothing_out_and_one_script_run(hostile_page):
    elements = read(hostile_page[0])
    policies = [
        attributes["content"]
        for attributes, _ in elements.named("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    rules = dict(rule.strip().split(" ", 1) for rule in policies[0].split(";"))
    assert rules["default-src"] == "'none'"
    assert "connect-src" not in rules  # the default holds
    assert not re.search(r"https?:|\*|'self'", policies[0])
    script = elements.named("script")[1][1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in rules["script-src"].split()
    assert "'unsafe-inline'" not in rules["script-src"]


def test_the_page_names_no_other_file(hostile_page):
    for tag, attributes, _ in read(hostile_page[0]).found:
        assert tag not in {"link", "iframe", "base", "object"}
        assert not {"src", "href"} & set(attributes)


def test_the_same_study_gives_the_same_bytes(study, tmp_path):
    first = write_report(study, tmp_path / "a.html").read_bytes()
    assert write_report(study, tmp_path / "b.html").read_bytes() == first


def test_a_script_that_ends_scripts_stays_one(monkeypatch, tmp_path):
    (tmp_path / "unknot.js").write_text('const a = "</script><!-- <SCRIPT>", b = 1;')
    (tmp_path / "unknot.css").write_text('p::after { content: "</style>" }')
    monkeypatch.setattr(_page, "static_path", lambda name: tmp_path / name)
    _page._script.cache_clear(), _page._style.cache_clear()
    try:
        study = study_of(40, 2, 1, measured=False)
        elements = read(write_report(study, tmp_path / "report.html"))
    finally:
        _page._script.cache_clear(), _page._style.cache_clear()
    assert elements.named("script")[1][1] == (
        'const a = "\\x3c/script>\\x3c!-- \\x3cSCRIPT>", b = 1;'
    )
    assert elements.named("style")[0][1] == 'p::after { content: "<\\/style>" }'


def test_a_file_is_replaced_whole_or_not_at_all(study, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("before")
    with pytest.raises(ValueError, match="n_neighbors"):
        write_report(study, path, n_neighbors=-1)
    assert path.read_text() == "before"

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="its disk is full"):
        write_report(study, path)
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_a_page_needs_no_other_place_than_its_own(study, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "full"))
    assert write_report(study, tmp_path / "report.html").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_folder_is_no_file(study, tmp_path):
    with pytest.raises(IsADirectoryError, match=r"path must be a file; .* is a folder"):
        write_report(study, tmp_path)


def test_the_program_and_its_style_are_small():
    sizes = [_page.static_path(name).stat().st_size for name in ("unknot.js", "unknot.css")]
    assert sum(sizes) <= 800_000


def test_a_title_can_be_given(study, tmp_path):
    path = write_report(study, tmp_path / "report.html", title="A & B <i>")
    assert read(path).named("title")[0][1] == "A & B <i>"
    assert build_payload(study, title="A & B <i>")["title"] == "A & B <i>"
