"""Labels judged on the page, taken back into the study."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from unknot.studies import LayerStudy, MetadataColumn, Study

HEADER = "sample,label,class,decision,new_label,new_class,tag\n"
LABELS = np.array([0, 0, 1, 2, -1], dtype=np.int64)


@pytest.fixture
def study():
    points = np.zeros((5, 2), dtype="float32")
    layers = {"fc1": LayerStudy("fc1", "Dense", (2,), points=points, map=points)}
    predictions = np.array([0, 1, 1, 2, 0])
    return Study("model", layers, LABELS, ("cat", "=dog", "o, ther"), predictions)


def written(tmp_path, lines, header=HEADER):
    path = tmp_path / "labels.csv"
    path.write_text("\ufeff" + header + lines, encoding="utf-8")
    return path


def test_labels_are_corrected_and_tags_kept(study, tmp_path):
    lines = (
        "1,0,cat,relabel,1,'=dog,\n"
        '3,2,"o, ther",right,2,"o, ther",blurred\n'
        "4,,,relabel,0,cat,'=1+1\n"
        "0,0,cat,,,,dark\n"
    )
    found = study.apply_labels(written(tmp_path, lines))
    assert found.labels.tolist() == [0, 1, 1, 2, 0]
    assert found.accuracy == 1.0
    assert found.metadata["tag"].to_list() == ["dark", None, None, "blurred", "=1+1"]
    assert study.labels.tolist() == LABELS.tolist()
    assert found["fc1"].scores is None
    assert found["fc1"].map is not None
    assert "labels of 2 samples were corrected by labels.csv" in found.notes[-1]


def test_what_is_right_changes_no_scores(study, tmp_path):
    scored = replace(study, controls={"untrained": {}})
    found = scored.apply_labels(written(tmp_path, "0,0,cat,right,0,cat,\n"))
    assert found.controls == scored.controls
    assert found.notes == ()
    assert found.metadata == {}


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_spreadsheets_may_separate_otherwise(study, tmp_path, delimiter):
    lines = '0,0,cat,relabel,2,"o, ther",dark\r\n1,0,cat,right,0,cat,\r\n'
    rows = csv.reader(io.StringIO(HEADER + lines))
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    found = study.apply_labels(written(tmp_path, text.getvalue(), header=""))
    assert found.labels.tolist() == [2, 0, 1, 2, -1]
    assert found.metadata["tag"].to_list()[0] == "dark"


def test_tags_of_two_files_add_up(study, tmp_path):
    one = study.apply_labels(written(tmp_path, "0,0,cat,,,,dark\n1,0,cat,,,,old\n"))
    both = one.apply_labels(written(tmp_path, "1,0,cat,,,,new\n"))
    assert both.metadata["tag"].to_list() == ["dark", "new", None, None, None]
    number = MetadataColumn("tag", "number", np.zeros(5))
    with pytest.raises(ValueError, match=r"column 'tag' of another kind \(number\)"):
        replace(study, metadata={"tag": number}).apply_labels(written(tmp_path, "0,0,cat,,,,x\n"))


BAD = {
    "sample": ("9,0,cat,right,0,cat,\n", r"line 2: sample must be 0\.\.4; got '9'"),
    "no number": ("x,0,cat,right,0,cat,\n", "got 'x'"),
    "other data": ("2,0,cat,right,0,cat,\n", "of the class '=dog' in this study, and 'cat'"),
    "decision": ("0,0,cat,relabl,1,=dog,\n", "got 'relabl'; did you mean 'relabel'"),
    "class": ("0,0,cat,relabel,1,dog,\n", "new_class must be a class of the study; got 'dog'"),
    "nothing": ("0,0,cat,relabel,,,\n", "got ''"),
    "twice": ("0,0,cat,right,0,cat,\n0,0,cat,right,0,cat,\n", "line 3: sample 0 was in line 2"),
}


@pytest.mark.parametrize("case", BAD)
def test_lines_of_something_else_are_refused(study, tmp_path, case):
    lines, words = BAD[case]
    with pytest.raises(ValueError, match=words):
        study.apply_labels(written(tmp_path, lines))


def test_other_files_are_refused(study, tmp_path):
    with pytest.raises(ValueError, match="it lacks decision, new_class"):
        study.apply_labels(written(tmp_path, "0,cat\n", header="sample,class\n"))
    with pytest.raises(FileNotFoundError):
        study.apply_labels(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + b"0,0,cat,,,,caf\xe9\n")
    with pytest.raises(ValueError, match=r"latin.csv is not in UTF-8: save it as CSV UTF-8"):
        study.apply_labels(tmp_path / "latin.csv")
    numbers = replace(
        study, labels=np.full(5, -1), class_names=(), targets=np.arange(5.0), predictions=None
    )
    with pytest.raises(ValueError, match="labels of this study are numbers"):
        numbers.apply_labels(written(tmp_path, ""))
