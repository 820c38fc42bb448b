"""The whole lab on little data: its files, resuming, and its conclusion."""

import json
import os
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import unknot
from killing import Command, differing
from unknot._io.lock import locked
from unknot.lab import LabSettings, run_lab
from unknot.lab._settings import HITS, NETWORKS, STUDIED
from unknot.lab._summary import conclusion, tables

MAPS = {
    "pixels_train_tsne",
    "pixels_test_tsne",
    "pixels_test_pca",
    "perceptron_hidden_tsne",
    "lenet_hidden_tsne",
}


@pytest.fixture(scope="module")
def tiny():
    return LabSettings(
        backend=os.environ["KERAS_BACKEND"],
        epochs={"logistic_regression": 2, "perceptron": 3, "lenet": 1},
        train_samples=1000,
        test_samples=300,
        map_train_samples=400,
        max_iter=300,
        layers={"perceptron": ["fc1"], "lenet": ["pool2", "fc1"]},
    )


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    import keras

    # Reset Keras' name counters, which other tests have advanced.
    keras.backend.clear_session()
    folder = tmp_path_factory.mktemp("lab")
    console = Console(record=True, width=100, quiet=False)
    with console.capture() as captured:
        results = run_lab(folder, settings=tiny, console=console)
    return folder, results, captured.get()


def test_results_have_every_number(run):
    folder, results, _ = run
    assert json.loads((folder / "results.json").read_text()) == results
    assert set(results) == {
        "models",
        "studies",
        "maps",
        "settings",
        "versions",
        "seconds_total",
    }
    assert set(results["models"]) == set(NETWORKS)
    for model in results["models"].values():
        assert {
            "parameters",
            "epochs",
            "test_loss",
            "test_accuracy",
            "seconds_per_epoch",
            "training_seconds",
        } <= set(model)
        assert model["same_predictions_when_loaded"] == {".keras": True, ".h5": True, ".yaml": True}
    assert results["models"]["lenet"]["parameters"] == 65_558
    assert set(results["maps"]) == MAPS
    for name, map_ in results["maps"].items():
        assert ("kl_divergence" in map_) == name.endswith("tsne")
        assert len(map_["neighborhood_hit_per_class"]) == 10
        assert map_["n_samples"] == (400 if name == "pixels_train_tsne" else 300)
    assert list(results["studies"]["perceptron"]["layers"]) == ["inputs", "fc1"]
    assert list(results["studies"]["lenet"]["layers"]) == ["inputs", "pool2", "fc1"]
    for study in results["studies"].values():
        for numbers in study["layers"].values():
            assert set(numbers) == {*HITS, "linear_probe", "two_nn", "kl_divergence"}
        sizes = dict.fromkeys([*HITS, "linear_probe", "two_nn"], 300)
        assert study["n_samples"] == sizes
    assert results["versions"]["unknot"] == unknot.__version__


def test_what_is_measured_is_what_was_written(run):
    folder, results, _ = run
    test = unknot.load_dataset("mnist").test.sample(300, 0)
    map_ = np.load(folder / "maps/lenet_hidden_tsne.npy")
    hit = unknot.metrics.neighborhood_hit(map_, test.labels, k=6)
    assert results["maps"]["lenet_hidden_tsne"]["neighborhood_hit"] == hit.value
    hidden = np.load(folder / "representations/lenet_fc1.npy")
    native = unknot.metrics.neighborhood_hit(hidden, test.labels, k=6)
    assert results["maps"]["lenet_hidden_tsne"]["neighborhood_hit_native"] == native.value
    model = unknot.load_model(folder / "models/lenet.yaml")
    loss, accuracy = model.evaluate(test.inputs, test.labels, batch_size=1000, verbose=0)
    assert results["models"]["lenet"]["test_loss"] == loss
    assert results["models"]["lenet"]["test_accuracy"] == accuracy
    shuffled = np.random.default_rng(0).permutation(test.labels)
    assert unknot.metrics.neighborhood_hit(map_, shuffled, k=6).value < 0.2


def test_maps_and_hidden_layers_are_those_of_the_studies(run):
    folder, results, _ = run
    inputs = []
    for network in STUDIED:
        study = unknot.Study.load(folder / f"studies/{network}")
        assert study.accuracy == pytest.approx(results["models"][network]["test_accuracy"])
        map_ = results["maps"][f"{network}_hidden_tsne"]
        layer = study["fc1"]
        np.testing.assert_array_equal(
            layer.map, np.load(folder / f"maps/{network}_hidden_tsne.npy")
        )
        np.testing.assert_array_equal(
            layer.points[:], np.load(folder / f"representations/{network}_fc1.npy")
        )
        assert map_["kl_divergence"] == layer.kl_divergence
        assert results["studies"][network]["layers"]["fc1"]["kl_divergence"] == layer.kl_divergence
        assert map_["seconds"] == study.seconds["fc1: neighbors"] + study.seconds["fc1: map"]
        assert list(study.controls) == ["epoch 0" if network == "lenet" else "untrained"]
        inputs.append(study["inputs"])
    pixels = np.load(folder / "maps/pixels_test_tsne.npy")
    for layer in inputs:
        np.testing.assert_array_equal(layer.map, pixels)
        assert layer.kl_divergence == results["maps"]["pixels_test_tsne"]["kl_divergence"]


def test_the_pixels_are_mapped_once(run):
    seconds = [unknot.Study.load(run[0] / f"studies/{network}").seconds for network in STUDIED]
    for stage in ("neighbors", "map", "scores"):
        # Equal durations show that the stage ran only once.
        assert seconds[0][f"inputs: {stage}"] == seconds[1][f"inputs: {stage}"] > 0


def test_the_page_compares_both_networks(run):
    page = (run[0] / "report.html").read_text(encoding="utf-8")
    data = page.partition('id="unknot-data">')[2].partition("</script>")[0]
    models = json.loads(data)["models"]
    assert [model["name"] for model in models] == ["LeNet", "Perceptron"]
    assert [layer["name"] for layer in models[0]["layers"]] == ["inputs", "pool2", "fc1"]
    assert [layer["name"] for layer in models[1]["layers"]] == ["inputs", "fc1"]
    assert models[0]["epochs"]["epochs"] == [0, 1]
    assert models[1]["epochs"] is None
    hit = run[1]["studies"]["lenet"]["layers"]["pool2"]["neighborhood_hit"]
    assert models[0]["layers"][1]["scores"]["neighborhood_hit"]["value"] == hit


def test_only_damaged_parts_of_a_study_are_recomputed(run, tiny, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(run[0], folder)
    before = folder / "studies/lenet"
    kept = (before / "study.json").read_bytes()
    (damaged,) = before.glob("parts/epoch-0001-001-map-*")
    shutil.rmtree(damaged)
    made = {path: path.stat().st_mtime_ns for path in before.glob("parts/*/part.json")}
    assert run_lab(folder, settings=tiny, console=Console(quiet=True))["maps"] == run[1]["maps"]
    redone = [
        path.parent.name
        for path in before.glob("parts/*/part.json")
        if made.get(path) != path.stat().st_mtime_ns
    ]
    assert redone == [damaged.name]
    assert (before / "study.json").read_bytes() == kept


def test_every_figure_is_drawn_in_both_formats(run):
    folder, _, _ = run
    names = {"learning_curves", "comparison", "lenet_layers", "lenet_curves", *MAPS}
    names |= {f"{name}_mistakes" for name in NETWORKS}
    assert {path.stem for path in (folder / "figures").iterdir()} == names
    for name in names:
        with Image.open(folder / f"figures/{name}.png") as image:
            assert image.width >= 1500
        ElementTree.parse(folder / f"figures/{name}.svg")


def test_what_is_printed_is_the_run(run):
    _, results, printed = run
    assert "A quick run: trained on 1,000 of 60,000 images" in printed
    accuracy = 100 * results["models"]["lenet"]["test_accuracy"]
    assert "LeNet: " in printed
    assert f"test accuracy {accuracy:.2f} %" in printed
    assert f"{results['maps']['pixels_test_tsne']['kl_divergence']:.4f}" in printed
    assert "Neighborhood Hit of the maps:" in printed
    assert f"LeNet pool2 {results['studies']['lenet']['layers']['pool2']['kl_divergence']:.4f}" in (
        " ".join(printed.replace("│", " ").split())
    )
    assert f"Open {run[0] / 'report.html'} in a browser" in printed


def test_a_second_run_reuses_all_steps(run, tiny):
    folder, results, _ = run
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    console = Console(width=100)
    with console.capture() as captured:
        again = run_lab(folder, settings=tiny, console=console)
    assert captured.get().count("done before") == 3 + 2 + 5 + 12 + 1
    assert again == results
    changed = {path.name for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert changed == {"results.json", "summary.txt"}


def test_a_changed_setting_reruns_dependent_steps(run, tiny, tmp_path):
    import dataclasses

    folder = tmp_path / "copy"
    shutil.copytree(run[0], folder)
    settings = dataclasses.replace(tiny, epochs={**tiny.epochs, "lenet": 2})
    console = Console(width=100)
    with console.capture() as captured:
        results = run_lab(folder, settings=settings, console=console)
    lines = captured.get().splitlines()
    redone = [line.strip() for line in lines if line.startswith("  ") and "done before" not in line]
    assert [line.partition(":")[0] for line in redone if ": " in line] == [
        "LeNet",
        "LeNet, layer by layer",
        "LeNet fc1, t-SNE",
        "figures/learning_curves",
        "figures/lenet_mistakes",
        "figures/lenet_hidden_tsne",
        "figures/comparison",
        "figures/lenet_layers",
        "figures/lenet_curves",
        "report.html",
    ]
    assert results["models"]["lenet"]["epochs"] == 2


def test_a_killed_training_resumes_from_its_checkpoint(run, tiny, tmp_path, monkeypatch):
    from unknot.lab import _networks
    from unknot.training import _train

    monkeypatch.setattr(_train, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    original = _networks.train

    def killed(model, data, **options):
        def die(epoch, row):
            if model.name == "perceptron" and epoch == 2:
                raise RuntimeError("killed")

        return original(model, data, on_epoch_end=die, **options)

    monkeypatch.setattr(_networks, "train", killed)
    with pytest.raises(RuntimeError, match="killed"):
        run_lab(tmp_path, settings=tiny, console=Console(quiet=True))
    assert (tmp_path / ".steps/perceptron.partial.keras").is_file()
    epochs = []

    def counted(model, data, **options):
        return original(model, data, on_epoch_end=lambda epoch, _: epochs.append(epoch), **options)

    monkeypatch.setattr(_networks, "train", counted)
    results = run_lab(tmp_path, settings=tiny, console=Console(quiet=True))
    assert epochs == [2, 3, 1]  # the perceptron's last two, and LeNet's
    # Same results as without interruption.
    for name in ("perceptron", "lenet"):
        ours, whole = results["models"][name], run[1]["models"][name]
        assert ours["test_loss"] == pytest.approx(whole["test_loss"], rel=1e-5)
    assert not list((tmp_path / ".steps").glob("*.partial*"))
    assert differing(tmp_path, run[0]) == []


def test_killed_at_a_random_moment_the_result_is_the_same(run, tiny, tmp_path):
    code = f"import sys; from unknot.lab import *; run_lab(sys.argv[1], settings={tiny!r})"
    # The frameworks take some seconds to import.
    after = float(np.random.default_rng().uniform(3, 6 + run[1]["seconds_total"]))
    Command("-c", code, "OUT").kill(tmp_path / "lab", after)
    run_lab(tmp_path / "lab", settings=tiny, console=Console(quiet=True))
    assert differing(tmp_path / "lab", run[0]) == [], f"killed after {after:.2f} s"


@pytest.mark.parametrize("name", NETWORKS)
def test_a_resumed_training_saves_the_same_bytes(name, tmp_path):
    from unknot import networks
    from unknot.lab._networks import restore_state
    from unknot.representations import load_model
    from unknot.training import save_model, train

    data = unknot.load_dataset("mnist").train.take(np.arange(200))
    options = {"epochs": 2, "random_state": 0, "progress": False}

    def network():
        return getattr(networks, name)(random_state=0)

    whole = network()
    train(whole, data, **options)
    first = network()
    history = train(first, data, **options | {"epochs": 1})
    save_model(first, tmp_path / "partial.keras")
    model = network()
    restore_state(model, load_model(tmp_path / "partial.keras"))
    train(model, data, history=history, **options)
    for ending in ("keras", "h5", "yaml", "weights.h5"):
        for folder, trained in (("whole", whole), ("resumed", model)):
            if ending != "weights.h5":
                save_model(trained, tmp_path / folder / f"model.{ending}")
        saved = [
            (tmp_path / each / f"model.{ending}").read_bytes() for each in ("whole", "resumed")
        ]
        assert saved[0] == saved[1], ending


def test_the_conclusion_follows_the_numbers(run):
    results = json.loads(json.dumps(run[1]))
    for name, hit in zip(
        ("pixels_test_tsne", "perceptron_hidden_tsne", "lenet_hidden_tsne"),
        (0.9, 0.95, 0.98),
        strict=True,
    ):
        results["maps"][name]["neighborhood_hit"] = hit
    assert "the pixels (90.0 %) < the perceptron's hidden layer (95.0 %)" in conclusion(results)
    assert "The hidden layers untangle the classes" in conclusion(results)
    results["maps"]["lenet_hidden_tsne"]["neighborhood_hit"] = 0.5
    assert "do not come apart step by step" in conclusion(results)
    assert len(tables(results)) == 3


def test_epochs_of_lenet_are_the_network_as_it_was(tiny, tmp_path):
    import dataclasses

    settings = dataclasses.replace(
        tiny,
        epochs={**tiny.epochs, "lenet": 3},
        recorded={"lenet": [0, 2, 9]},
        recorded_layers={"lenet": ["fc1"]},
    )
    run_lab(tmp_path, settings=settings, console=Console(quiet=True))
    study = unknot.Study.load(tmp_path / "studies/lenet")
    assert list(study.epochs) == [0, 2, 3]
    assert list(study.epochs[2]) == ["inputs", "fc1"]
    assert list(study) == list(study.epochs[3]) == ["inputs", "pool2", "fc1"]
    test = unknot.load_dataset("mnist").test.sample(300, 0)
    models = {
        0: unknot.networks.lenet(random_state=0),
        2: unknot.load_model(tmp_path / "models/lenet-epoch-2.keras"),
        3: unknot.load_model(tmp_path / "models/lenet.keras"),
    }
    history = (tmp_path / "histories/lenet.csv").read_text().splitlines()
    accuracy = history[0].split(",").index("val_accuracy")
    for epoch, model in models.items():
        layers = unknot.extract(model, test.inputs, layers=["fc1"], batch_size=500, progress=False)
        np.testing.assert_array_equal(study.epochs[epoch]["fc1"].points[:], layers["fc1"])
        if epoch:
            told = float(history[epoch].split(",")[accuracy])
            assert study.epochs[epoch].accuracy == pytest.approx(told, abs=1e-6)


def test_without_epochs_lenet_is_studied_as_the_perceptron_is():
    assert LabSettings(recorded={}).recorded_epochs("lenet") == []
    assert LabSettings().recorded_epochs("lenet") == [0, 1, 2, 5, 10]
    assert LabSettings().recorded_epochs("perceptron") == []
    assert LabSettings.quick(0, "jax").recorded_epochs("lenet") == [0, 1, 2]


def test_a_full_run_leaves_nothing_out():
    assert LabSettings().left_out == ""
    assert "for 5 of 20, 8 of 100, 2 of 10 epochs" in LabSettings.quick(0, "jax").left_out


@pytest.mark.parametrize(
    "name", ["report.html", "models/lenet.keras", "results.json", ".steps/x.json", ".unknot"]
)
def test_a_foreign_folder_is_left_unchanged(tmp_path, tiny, name):
    path = tmp_path / "mine" / name
    path.parent.mkdir(parents=True)
    path.write_text("precious")
    with pytest.raises(FileExistsError, match="holds something else than an unknot lab; name a"):
        run_lab(tmp_path / "mine", settings=tiny)
    assert path.read_text() == "precious"
    assert [found for found in (tmp_path / "mine").rglob("*") if found.is_file()] == [path]


def test_one_lab_at_a_time(tmp_path, tiny, run):
    folder = run[0]
    with locked(folder), pytest.raises(OSError, match="is being written by another run"):
        run_lab(folder, settings=tiny)
    with pytest.raises(FileExistsError, match="holds an unknot lab, not an unknot study"):
        unknot.Study.load(folder / "studies/lenet").save(folder)
    with pytest.raises(FileExistsError, match="holds an unknot study, not an unknot lab"):
        run_lab(folder / "studies/lenet", settings=tiny)


@pytest.mark.parametrize("name", ["models", "figures", "report.html", ".steps", "studies/lenet"])
def test_no_link_in_the_folder_is_followed(tmp_path, tiny, run, name):
    folder = tmp_path / "copy"
    shutil.copytree(run[0], folder)
    (folder / name).rename(tmp_path / "outside")
    (folder / name).symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match="is a link; unknot follows none inside its folders"):
        run_lab(folder, settings=tiny, console=Console(quiet=True))


def test_networks_are_the_same_files_whatever_was_built_before(tmp_path):
    from unknot import networks
    from unknot.training import save_model, train

    data = unknot.load_dataset("digits").train.take(np.arange(40))
    for name in ("first", "second"):
        for network in (networks.logistic_regression, networks.perceptron):
            model = network(input_shape=(8, 8, 1), random_state=0)
            train(model, data, epochs=1, random_state=0, progress=False)
            for ending in ("keras", "h5", "yaml"):
                save_model(model, tmp_path / name / f"{model.name}.{ending}")
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("first", "second")
    )
    assert len(first) == 8
    assert first == second


def test_faults_name_the_argument(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(FileExistsError, match="file is a file; name a folder"):
        run_lab(file)
    with pytest.raises(ValueError, match="random_state must be an integer"):
        run_lab(tmp_path / "new", random_state=-1)
    with pytest.raises(ValueError, match="backend must be one of"):
        run_lab(tmp_path / "new", backend="abacus")
    with pytest.raises(ValueError, match="layers must include fc1 of the perceptron"):
        LabSettings(layers={"lenet": ["fc1"]})
    assert not (tmp_path / "new").exists()
