"""Maps beside t-SNE's on the command line: estimators by their class, and files of maps."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from unknot.studies import Studies, Study

ARGUMENTS = ("--max-iter", 250, "-m", "neighborhood_hit", "-m", "map_neighborhood_hit",
             "--perplexity", 8)  # fmt: skip
POINTS = np.random.default_rng(0).normal(size=(60, 5)).astype("f4")
LABELS = np.repeat([0, 1, 2], 20)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    np.savez(folder / "layers.npz", fc1=POINTS, fc2=2 * POINTS[:, ::-1])
    np.savez(folder / "other.npz", fc1=3 * POINTS)
    np.save(folder / "labels.npy", LABELS)
    np.savez(folder / "drawn.npz", fc2=POINTS[:, :2])
    return folder


def test_estimators_and_files_map_the_layers(call, files, tmp_path):
    out = tmp_path / "study"
    code, printed, err = call(
        "study", files / "layers.npz", files / "labels.npy", "-o", out, *ARGUMENTS,
        "--mapper", "sklearn.decomposition.PCA", "--random-state", 7,
        "--mapper", "flat = sklearn.decomposition.PCA(n_components=2, svd_solver='full')",
        "--maps", f"drawn={files / 'drawn.npz'}",
    )  # fmt: skip
    # PCA of all components is no map.
    assert code == 2
    assert "mapper 'PCA' at layer 'fc1' must return a map (60, 2); got (60, 5)" in " ".join(
        (printed + err).split()
    )
    code, _, err = call(
        "study", files / "layers.npz", files / "labels.npy", "-o", out, *ARGUMENTS,
        "--mapper", "flat = sklearn.decomposition.PCA(n_components=2, svd_solver='full')",
        "--maps", f"drawn={files / 'drawn.npz'}",
    )  # fmt: skip
    assert (code, err) == (0, "")
    study = Study.load(out)
    assert set(study.maps) == {"t-SNE", "drawn", "flat"}
    np.testing.assert_array_equal(study.with_map("drawn")["fc2"].map, POINTS[:, :2])
    alone = PCA(2, svd_solver="full").fit_transform(POINTS)
    np.testing.assert_allclose(study.with_map("flat")["fc1"].map, alone, atol=1e-4)


def test_every_one_of_several_models_is_mapped(call, files, tmp_path):
    out = tmp_path / "studies"
    code, _, err = call(
        "study", files / "layers.npz", files / "other.npz", files / "labels.npy", "-o", out,
        *ARGUMENTS, "--mapper", "sklearn.decomposition.PCA(n_components=2)",
    )  # fmt: skip
    assert (code, err) == (0, "")
    for study in Studies.load(out).values():
        assert study.maps == ("t-SNE", "PCA")
        assert study.with_map("PCA")["fc1"].map.shape == (60, 2)


def test_the_seed_is_that_of_the_command():
    from unknot.cli._maps import mappers_of

    found = mappers_of(["sklearn.manifold.TSNE", "b=sklearn.manifold.TSNE(random_state=3)"], 5)
    assert {name: each.random_state for name, each in found.items()} == {"TSNE": 5, "b": 3}
    assert mappers_of(None, 0) is None
    assert mappers_of([], 0) is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("UMAP", "names no class of a module"),
        ("no_such_thing.UMAP", "no_such_thing cannot be imported.*pip install no_such_thing"),
        ("sklearn.decomposition.PCS", "no class 'PCS'; did you mean 'PCA'"),
        ("sklearn.decomposition.PCA(2)", "arguments need names"),
        ("sklearn.decomposition.PCA(components=2)", "does not take these arguments.*components"),
        ("sklearn.decomposition.PCA(n_components=print(1))", "got .*print"),
        ("sklearn.decomposition.PCA(", "cannot be read"),
        ("__import__('os').system('true')", "arguments need names|names no class"),
        ("os.system", "no class 'system'"),
        ("", "cannot be read"),
    ],
)
def test_what_is_no_estimator_is_refused(given, words, capsys):
    from unknot.cli._maps import mappers_of

    with pytest.raises(ValueError, match=words) as error:
        mappers_of([given], 0)
    assert str(error.value).startswith("--mapper")
    assert capsys.readouterr().out == ""


def test_a_class_without_fit_transform_is_refused(call, files, tmp_path):
    code, printed, err = call(
        "study", files / "layers.npz", files / "labels.npy", "-o", tmp_path / "s", *ARGUMENTS,
        "--mapper", "sklearn.linear_model.LinearRegression",
    )  # fmt: skip
    assert code == 2
    assert "must be an estimator with fit_transform" in " ".join((printed + err).split())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("drawn.npz", "must be a name and an .npz file"),
        ("=drawn.npz", "must be a name and an .npz file"),
        ("a=missing.npz", "missing.npz: no such file"),
        ("a=labels.npy", "holds one array|labels.npy"),
    ],
)
def test_files_that_are_no_maps_are_refused(given, words, files, monkeypatch):
    from unknot.cli._maps import maps_of

    monkeypatch.chdir(files)
    with pytest.raises((ValueError, FileNotFoundError), match=words) as error:
        maps_of([given])
    assert str(error.value).startswith("--maps")


def test_names_are_given_once(files):
    from unknot.cli._maps import mappers_of, maps_of

    with pytest.raises(ValueError, match="two are called 'PCA'"):
        mappers_of(2 * ["sklearn.decomposition.PCA(n_components=2)"], 0)
    with pytest.raises(ValueError, match="two are called 'a'"):
        maps_of(2 * [f"a={files / 'drawn.npz'}"])


def test_maps_of_files_are_of_one_model(call, files, tmp_path):
    code, printed, err = call(
        "study", files / "layers.npz", files / "other.npz", files / "labels.npy", "-o",
        tmp_path / "s", "--maps", f"a={files / 'drawn.npz'}",
    )  # fmt: skip
    assert code == 2
    assert "--maps is of one model" in printed + err
