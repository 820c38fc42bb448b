"""What is known of the inputs goes from one study to another, where it is the same."""

import pytest
from studies_settings import fast

import unknot
from unknot.studies._pipeline.sharing import share_inputs

OF_THE_INPUTS = {
    ("data", "preparation"),
    ("inputs", "neighbors"),
    ("inputs", "map"),
    ("inputs", "scores"),
}


def content(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "seconds.json"
    }


@pytest.fixture
def done(folder, layers, tmp_path):
    """Share the inputs, study a layer of other data, and return the stages not done again."""

    def run(data, **options):
        share_inputs(folder, tmp_path / "shared")
        stages = set()

        def note(layer, stage, seconds, reused):
            if reused:
                stages.add((layer, stage))

        few = {"fc2": layers["fc2"]}
        unknot.study(few, data, out=tmp_path / "shared", on_stage=note, **fast(**options))
        unknot.study(few, data, out=tmp_path / "alone", **fast(**options))
        assert content(tmp_path / "shared") == content(tmp_path / "alone")
        return stages

    return run


def test_the_same_inputs_are_not_studied_again(done, digits):
    # Their scores are of the map, too, which is coupled with those of other layers.
    assert done(digits) == OF_THE_INPUTS - {("inputs", "scores")}


def test_other_settings_or_data_are(done, digits):
    assert done(digits, k=3) == OF_THE_INPUTS - {("inputs", "scores")}
    turned = (digits.inputs[:, ::-1], digits.labels)
    assert not done(turned)
