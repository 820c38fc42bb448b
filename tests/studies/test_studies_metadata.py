"""Metadata: columns of a few kinds, sampled, stored and written with the study."""

import csv
import datetime
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import unknot
from unknot.studies import MetadataColumn, StudyError
from unknot.studies._pipeline.data import take_data
from unknot.studies._pipeline.metadata import take_metadata

N = 60
QUICK = {
    "measures": "nc1", "max_iter": 250, "perplexity": 5, "n_neighbors": 20, "progress": False,
}  # fmt: skip
LABELS = np.arange(N) % 3
POINTS = np.random.default_rng(0).normal(size=(N, 4)) + 3 * np.eye(3, 4)[LABELS]
DAY = datetime.datetime(2024, 2, 29, 12, 30)
NASTY = '<script>alert(1)</script> "&\x1b[31m,\n'


def columns():
    """One column of each kind, with something missing in each."""
    numbers = np.arange(N) / 4
    numbers[3] = np.nan
    return {
        "age": numbers,
        "weather": ["rain" if row % 2 else "sun" for row in range(N - 1)] + [None],
        "kept": [True, None] + [False] * (N - 2),
        "taken": [DAY + datetime.timedelta(days=row) for row in range(N - 1)] + [None],
        "note": [f"{NASTY}{row}" for row in range(N - 1)] + [None],
    }


def study(metadata, **options):
    return unknot.study({"fc1": POINTS}, (None, LABELS), metadata=metadata, **QUICK, **options)


def taken(values, n=N, **options):
    data = take_data((None, (np.arange(n) % 3)))
    return take_metadata({"x": values}, replace(data, **options))["x"]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("metadata") / "study"
    study(columns(), out=folder)
    return folder


def test_each_kind_is_kept(stored):
    found = unknot.Study.load(stored).metadata
    kinds = {name: column.kind for name, column in found.items()}
    assert kinds == {
        "age": "number", "weather": "category", "kept": "boolean", "taken": "date", "note": "text",
    }  # fmt: skip
    given = columns()
    assert found["age"].to_list() == [None if row == 3 else row / 4 for row in range(N)]
    for name in ("weather", "kept", "taken", "note"):
        assert found[name].to_list() == given[name]
    assert found["weather"].categories == ("rain", "sun")


def test_in_memory_and_saved_again_it_is_the_same(stored, tmp_path):
    loaded = unknot.Study.load(stored)
    held = study(columns())
    held.save(tmp_path / "again")
    again = unknot.Study.load(tmp_path / "again")
    for one in (held, again):
        assert list(one.metadata) == list(loaded.metadata)
        for name, column in one.metadata.items():
            assert column.to_list() == loaded.metadata[name].to_list()
            assert column.kind == loaded.metadata[name].kind


def test_a_frame_is_the_same_as_a_dict():
    frame = pd.DataFrame(
        {
            "age": pd.array([1, None] * (N // 2), dtype="Int64"),
            "kept": pd.array([True, None] * (N // 2), dtype="boolean"),
            "weather": pd.Categorical(["rain", None] * (N // 2), ["sun", "rain"]),
            "taken": pd.date_range("2024-01-01 01:00", periods=N, tz="Europe/Paris"),
            "text": pd.array([f"t{row}" for row in range(N)], dtype="string"),
        }
    )
    found = study(frame).metadata
    assert found["age"].to_list() == [1.0, None] * (N // 2)
    assert found["kept"].to_list() == [True, None] * (N // 2)
    assert found["weather"].to_list() == ["rain", None] * (N // 2)
    assert found["weather"].kind == "category"
    # In Paris it is one hour later than in UTC.
    assert found["taken"].to_list()[0] == datetime.datetime(2024, 1, 1)
    assert found["text"].to_list() == [f"t{row}" for row in range(N)]


def test_it_is_sampled_with_the_samples():
    drawn = study({"row": np.arange(N)}, max_samples=20)
    rows = np.array(drawn.metadata["row"].to_list(), dtype=int)
    assert len(rows) == 20
    np.testing.assert_array_equal(LABELS[rows], drawn.labels)
    np.testing.assert_allclose(POINTS[rows], drawn["fc1"].points, rtol=1e-6)
    # And with the classes that are selected.
    part = drawn.select(classes=[1])
    assert part.metadata["row"].to_list() == rows[drawn.labels == 1].tolist()


def test_tokens_have_the_metadata_of_their_text():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (12, 5))
    data = take_data((rng.normal(size=(12, 5, 3)), labels))
    column = take_metadata({"text": np.arange(12)}, data)["text"]
    assert len(column) == 60
    assert column.to_list() == [float(text) for text in data.places.samples]


def test_another_column_computes_only_itself(stored):
    reused = {}

    def note(layer, stage, seconds, reused_part):
        reused[f"{layer}: {stage}"] = reused_part

    study({**columns(), "more": np.zeros(N)}, out=stored, on_stage=note)
    assert reused.pop("data: metadata") is False
    assert all(reused.values())
    assert "more" in unknot.Study.load(stored).metadata
    study(columns(), out=stored)
    assert list(unknot.Study.load(stored).metadata) == list(columns())


def test_a_study_without_says_nothing_of_it(tmp_path):
    study(None, out=tmp_path / "s")
    assert "metadata" not in json.loads((tmp_path / "s" / "study.json").read_text())
    assert unknot.Study.load(tmp_path / "s").metadata == {}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.arange(N, dtype=np.uint8), "number"),
        (np.ma.masked_array(np.arange(N), np.arange(N) == 0), "number"),
        ([1, 2.5] * (N // 2), "number"),
        ([None] * N, "text"),
        (np.zeros(N, bool), "boolean"),
        (np.array(["a"] * N), "category"),
        ([f"name {row}" for row in range(N)], "text"),
        (np.datetime64("2024-01-01", "D") + np.arange(N), "date"),
        ([datetime.date(2024, 1, 1)] * N, "date"),
        ([datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)] * N, "date"),
    ],
)
def test_kinds_of_columns(values, kind):
    assert taken(values).kind == kind


def test_ten_thousand_categories_are_text():
    """Of 30,000 samples: a third is fewer than half, but 1,000 is the most."""
    names = [f"place {row % 10_000}" for row in range(30_000)]
    assert taken(names, 30_000).kind == "text"
    assert taken(pd.Categorical(names), 30_000).kind == "text"
    few = taken([f"place {row % 1000}" for row in range(30_000)], 30_000)
    assert (few.kind, len(few.categories)) == ("category", 1000)


@pytest.mark.parametrize(
    ("metadata", "error", "message"),
    [
        ([1, 2], TypeError, "metadata must be a DataFrame, or a dict of columns"),
        ({"age": [1, 2]}, ValueError, r"metadata\['age'\] must hold one value for each of the 60 "
         "samples of data; got 2"),
        ({"x": [1, "a"] * (N // 2)}, TypeError, r"metadata\['x'\] mixes int, str; a column is of"),
        ({"x": [True, "a"] * (N // 2)}, TypeError, "mixes bool, str"),
        ({"x": [DAY, DAY.replace(tzinfo=datetime.UTC)] * (N // 2)}, TypeError, "mixes datetime"),
        ({"x": [{}] * N}, TypeError, "holds dict"),
        ({"x": np.full(N, np.inf)}, ValueError, "60 infinite numbers, the first in sample 0"),
        ({"x": np.full(N, 2**60)}, ValueError, r"whole numbers above 2\*\*53"),
        ({"x": np.zeros((N, 2))}, ValueError, r"one value a sample; got the shape \(60, 2\)"),
        ({"x": np.zeros(N, complex)}, TypeError, "must be numbers, booleans, dates or text"),
        ({"": np.zeros(N)}, ValueError, "an empty name"),
        ({1: np.zeros(N), "1": np.zeros(N)}, ValueError, "two columns called '1'"),
    ],
)  # fmt: skip
def test_bad_metadata_is_one_clear_error(metadata, error, message):
    with pytest.raises(error, match=message):
        study(metadata)


def test_samples_as_csv(stored, tmp_path):
    loaded = unknot.Study.load(stored)
    loaded.to_csv(tmp_path / "samples.csv")
    with (tmp_path / "samples.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["sample", "label", "age", "weather", "kept", "taken", "note"]
    assert rows[0] == {
        "sample": "0", "label": "0", "age": "0.0", "weather": "sun", "kept": "true",
        "taken": "2024-02-29T12:30:00", "note": f"{NASTY}0",
    }  # fmt: skip
    assert (rows[3]["age"], rows[1]["kept"], rows[-1]["weather"]) == ("", "", "")


def test_columns_named_as_the_tables_own(tmp_path):
    study({"label": np.arange(N)}).to_csv(tmp_path / "s.csv")
    header, first = (tmp_path / "s.csv").read_text().splitlines()[:2]
    assert (header, first) == ("sample,label,metadata: label", "0,0,0.0")


@pytest.mark.parametrize(
    ("change", "file"),
    [
        (lambda part: (part / "4.json").write_text("[1]"), "4.json"),
        (lambda part: (part / "1-categories.json").write_text("[]"), "1"),
        (lambda part: (part / "2" / "c" / "0").write_bytes(b"short"), "2"),
    ],
)
def test_damage_is_named(tmp_path, change, file):
    from unknot._io.cache import RECORD

    study(columns(), out=tmp_path / "s")
    (part,) = (tmp_path / "s" / "parts").glob("metadata-*")
    change(part)
    record = json.loads((part / RECORD).read_text())
    for name, entry in record["files"].items():  # as one who changes a file on purpose would
        entry[0] = (part / name).stat().st_size
    (part / RECORD).write_text(json.dumps(record))
    with pytest.raises(StudyError, match=rf"metadata-\w+/{file}"):
        unknot.Study.load(tmp_path / "s")


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("number", np.zeros(2, "f4"), "must be f8"),
        ("number", np.array([np.inf]), "finite or NaN"),
        ("category", np.array([0, 1]), r"-1\.\.-1; got 0\.\.1"),
        ("boolean", np.array([2]), r"-1\.\.1; got 2\.\.2"),
    ],
)
def test_a_column_checks_itself(kind, values, message):
    with pytest.raises(ValueError, match=message):
        MetadataColumn("x", kind, values)


def test_a_study_checks_lengths(stored):
    loaded = unknot.Study.load(stored)
    short = MetadataColumn("x", "number", np.zeros(3))
    with pytest.raises(ValueError, match=r"metadata\['x'\] must be of the 60 samples"):
        replace(loaded, metadata={"x": short})


def test_the_command_reads_csv_and_writes_samples(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("layers.npz", fc1=POINTS)
    np.save("labels.npy", LABELS)
    lines = ["age,seen,day,name"]
    lines += [f"{row / 2},{'true' if row % 2 else 'false'},2024-01-{row % 28 + 1:02},n{row}"
              for row in range(N - 1)]  # fmt: skip
    (tmp_path / "m.csv").write_text("\n".join([*lines, ",,,"]) + "\n")
    command = ("study", "layers.npz", "labels.npy", "-o", "s", "-m", "nc1", "--max-iter", 250,
               "--perplexity", 5, "--n-neighbors", 20)  # fmt: skip
    code, _, err = call(*command, "--metadata", "m.csv")
    assert (code, err) == (0, "")
    found = unknot.Study.load("s").metadata
    kinds = [column.kind for column in found.values()]
    assert kinds == ["number", "boolean", "date", "text"]
    assert [column.to_list()[-1] for column in found.values()] == [None] * 4
    assert call("show", "s", "--no-figures", "--samples", "samples.csv")[0] == 0
    assert (tmp_path / "samples.csv").read_text().splitlines()[2] == (
        "1,1,0.5,true,2024-01-02T00:00:00,n1"
    )
    for text, message in (
        ("a,b\n1\n", "--metadata: row 1 of bad.csv has 1 cells; its header has 2"),
        ("a,a\n1,2\n", "two columns of one name"),
        ("", "bad.csv is empty"),
        ("a\n1\n", "must hold one value for each of the 60 samples"),
    ):
        (tmp_path / "bad.csv").write_text(text)
        code, _, err = call(*command, "--metadata", "bad.csv")
        assert code == 2
        assert message in err
        assert err.count("\n") == 1


def test_a_notebook_shows_a_table():
    labels = np.array([NASTY, "b", "c"])[LABELS]
    found = unknot.study(
        {NASTY: POINTS, "fc2": 9 * POINTS}, (None, labels), name=NASTY, **QUICK
    )  # fmt: skip
    html = found._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    from xml.etree import ElementTree

    whole = ElementTree.fromstring(f"<div>{html.replace(chr(27), '')}</div>")
    rows = whole.findall(".//tbody/tr")
    assert [row.find("th").text.startswith("<script>") for row in rows] == [True, False]
    values = [float(row.find("td").text) for row in rows]
    assert values == [round(layer.scores["nc1"].value, 3) for layer in found.values()]
    # Readable on light and dark: no color of its own but transparent grays.
    import re

    assert not re.search(r"#[0-9a-f]{3}", html)
    assert re.findall(r"color:\s*([a-z]+)", html) == ["inherit"]
    assert set(re.findall(r"rgba\([^)]*\)", html)) <= {
        "rgba(128,128,128,.35)", "rgba(128,128,128,.25)",
    }  # fmt: skip


def test_a_notebook_shows_many_layers_in_part():
    found = study(None)
    layer = found["fc1"]
    layers = {f"l{number}": replace(layer, name=f"l{number}") for number in range(100)}
    html = replace(found, layers=layers)._repr_html_()
    assert html.count("<tr>") == 61
    assert "and 40 more layers" in html
    bare = replace(found, layers={"fc1": replace(layer, scores=None)})._repr_html_()
    assert "layers without scores: fc1" in bare


def test_metadata_of_strangers_lead_nowhere(tmp_path):
    """A path outside, a link, an unknown kind, two of a name, numbers that are text: one error."""
    study(columns(), out=tmp_path / "s")
    (tmp_path / "secret.json").write_text(json.dumps(["secret"] * N))
    path = tmp_path / "s" / "study.json"
    whole = json.loads(path.read_text())

    def refused(change):
        manifest = json.loads(json.dumps(whole))
        change(manifest["metadata"])
        path.write_text(json.dumps(manifest))
        with pytest.raises(StudyError):
            unknot.Study.load(tmp_path / "s")

    refused(lambda found: found[4].update(values="../secret.json"))
    refused(lambda found: found[4].update(values=str(tmp_path / "secret.json")))
    refused(lambda found: found[0].update(kind="pickle"))
    refused(lambda found: found[0].update(kind="text"))
    refused(lambda found: found[0].update(kind="category"))
    refused(lambda found: found[0].update(name=7))
    refused(lambda found: found[1].update(categories=None))
    refused(lambda found: found.append(found[0]))
    refused(lambda found: found.append("age"))
    (tmp_path / "s" / "parts" / "link.json").symlink_to(tmp_path / "secret.json")
    refused(lambda found: found[4].update(values="parts/link.json"))
    path.write_text(json.dumps(whole))
    assert unknot.Study.load(tmp_path / "s").metadata["note"].kind == "text"
