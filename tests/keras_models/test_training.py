import csv
import re
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from unknot.datasets import Split
from unknot.networks import logistic_regression, perceptron
from unknot.representations import load_model
from unknot.training import History, train
from unknot.training._epochs import STEPS_PER_CALL, epoch_batches


def fit_with_keras(keras, model, inputs, labels, epochs, batch_size, seed):
    """The slow twin: Keras' own loop, over the same batches, one step at a time."""
    model.compile(
        keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    logs = []
    for epoch in range(1, epochs + 1):
        order = np.concatenate(
            [table.ravel() for table in epoch_batches(len(inputs), batch_size, seed, epoch)]
        )
        history = model.fit(
            inputs[order], labels[order], batch_size=batch_size, shuffle=False, verbose=0
        )
        logs.append((history.history["loss"][0], history.history["accuracy"][0]))
    return np.array(logs)


def test_training_equals_keras_fit_on_the_same_batches(keras, model, images):
    inputs, labels = images
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    history = train(model, images, epochs=3, batch_size=32, random_state=5, progress=False)
    expected = fit_with_keras(keras, twin, inputs, labels, 3, 32, 5)
    np.testing.assert_allclose(history["loss"], expected[:, 0], rtol=1e-4)
    np.testing.assert_allclose(history["accuracy"], expected[:, 1], atol=1e-6)
    for weight, other in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other, atol=2e-5)


def test_training_learns_what_can_be_learned(images):
    model = perceptron(2, (16, 16, 1), random_state=0)
    history = train(model, images, epochs=10, batch_size=20, random_state=0, progress=False)
    assert history["accuracy"][-1] > 0.95 > history["accuracy"][0] or history["loss"][-1] < 0.3
    assert history["loss"][-1] < history["loss"][0] / 2


def test_shuffled_labels_are_not_learned(images):
    inputs, labels = images
    shuffled = np.random.default_rng(1).permutation(labels)
    model = logistic_regression(2, (16, 16, 1), random_state=0)
    history = train(
        model,
        (inputs[:200], shuffled[:200]),
        validate=(inputs[200:], shuffled[200:]),
        epochs=5,
        random_state=0,
        progress=False,
    )
    assert 0.3 < history["val_accuracy"][-1] < 0.7


def test_dropout_and_normalization_train_as_in_keras(keras, images):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Flatten(),
            layers.BatchNormalization(),
            layers.Dropout(0.5, seed=1),
            layers.Dense(2, "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    before = [np.array(weight) for weight in model.get_weights()]
    history = train(model, images, epochs=4, random_state=0, progress=False)
    assert set(history) == {"epoch", "loss", "seconds"}
    assert history["loss"][-1] < history["loss"][0]
    moved = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert all(moved)  # the moving mean and variance too


def test_an_epochs_batches_hold_every_sample_once():
    tables = epoch_batches(1000 * STEPS_PER_CALL // 100 + 37, 10, seed=1, epoch=2)
    assert [table.shape for table in tables] == [
        (STEPS_PER_CALL, 10),
        (3, 10),
        (1, 7),
    ]
    numbers = np.concatenate([table.ravel() for table in tables])
    assert sorted(numbers) == list(range(2037))


def test_validation_is_the_models_own_evaluation(images):
    inputs, labels = images
    model = perceptron(2, (16, 16, 1), random_state=0)
    held = Split(inputs[200:], labels[200:].astype(np.int64))
    history = train(
        model,
        (inputs[:200], labels[:200]),
        validate=held,
        epochs=2,
        random_state=0,
        progress=False,
    )
    loss, accuracy = model.evaluate(held.inputs, held.labels, verbose=0)
    assert history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)
    assert history["val_accuracy"][-1] == pytest.approx(accuracy)


def test_a_training_that_goes_on_equals_one_that_never_stopped(images, tmp_path):
    whole = perceptron(2, (16, 16, 1), random_state=0)
    expected = train(whole, images, epochs=4, random_state=3, progress=False)
    parts = perceptron(2, (16, 16, 1), random_state=0)
    checkpoint = tmp_path / "part.keras"
    train(parts, images, epochs=2, random_state=3, checkpoint=checkpoint, progress=False)
    parts, before = load_model(checkpoint), History.from_csv(tmp_path / "part.keras.csv")
    after = train(parts, images, epochs=4, history=before, random_state=3, progress=False)
    assert after["epoch"] == [1, 2, 3, 4]
    np.testing.assert_allclose(after["loss"], expected["loss"], rtol=1e-6)
    for weight, other in zip(parts.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other, atol=1e-6)


def test_ctrl_c_keeps_the_last_finished_epoch(images, tmp_path, capsys):
    model = perceptron(2, (16, 16, 1), random_state=0)
    twin = perceptron(2, (16, 16, 1), random_state=0)
    train(twin, images, epochs=2, random_state=3, progress=False)

    def interrupt(epoch, row):
        if epoch == 2:
            signal.raise_signal(signal.SIGINT)

    checkpoint = tmp_path / "kept.keras"
    history = train(
        model,
        images,
        epochs=9,
        random_state=3,
        checkpoint=checkpoint,
        on_epoch_end=interrupt,
    )
    assert history.interrupted
    assert history.epochs == 2
    assert "as it was after epoch 2 of 9" in capsys.readouterr().err
    for kept in (model, load_model(checkpoint)):
        for weight, other in zip(kept.get_weights(), twin.get_weights(), strict=True):
            np.testing.assert_allclose(weight, other, atol=1e-6)


def test_ctrl_c_inside_an_epoch_goes_back_to_its_start(images, monkeypatch):
    model = perceptron(2, (16, 16, 1), random_state=0)
    start = model.get_weights()
    from unknot.training import _train

    original = _train.compile_steps

    def interrupted_after_a_call(*args, **options):
        run, finish = original(*args, **options)

        def run_then_stop(batches):
            run(batches)
            raise KeyboardInterrupt

        return run_then_stop, finish

    monkeypatch.setattr(_train, "compile_steps", interrupted_after_a_call)
    history = train(model, images, epochs=2, progress=False)
    assert history.interrupted
    assert history.epochs == 0
    for weight, other in zip(model.get_weights(), start, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_progress_shows_epochs_numbers_and_time_left(images, capsys):
    train(perceptron(2, (16, 16, 1)), images, epochs=2)
    shown = capsys.readouterr().err
    assert "perceptron: epoch 1/2  loss" in shown
    assert "accuracy" in shown
    assert "s/epoch" in shown
    # Old versions of TensorFlow have something to say as well.
    first, last = [line for line in shown.splitlines() if line.startswith("perceptron")]
    assert "left" in first
    assert "left" not in last


@pytest.mark.parametrize(
    ("columns", "numbers"),
    [
        (140, r"loss 0\.\d{4}  accuracy \d\.\d{4}  val_loss .*  val_accuracy .* s/epoch"),
        (80, r"epoch 2/2 val_loss 0\.\d{4}  val_accuracy \d\.\d{4} 0:00:00"),
        (50, r"epoch 2/2  0:00:00"),
    ],
)
def test_a_bar_shows_as_many_numbers_as_there_is_room_for(
    images, capsys, monkeypatch, columns, numbers
):
    for name, value in {"TTY_COMPATIBLE": "1", "NO_COLOR": "1", "COLUMNS": str(columns)}.items():
        monkeypatch.setenv(name, value)
    train(perceptron(2, (16, 16, 1)), images, validate=images, epochs=2)
    last = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", capsys.readouterr().err).split("\r")[-1]
    assert re.search(numbers, last), last
    assert "epoch 2/2" in last


def test_the_history_survives_its_csv(images, tmp_path):
    model = perceptron(2, (16, 16, 1))
    history = train(model, images, validate=images, epochs=2, progress=False)
    history.to_csv(tmp_path / "history.csv")
    assert dict(History.from_csv(tmp_path / "history.csv")) == dict(history)
    with (tmp_path / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert set(rows[0]) == {"epoch", "loss", "accuracy", "seconds", "val_loss", "val_accuracy"}


@pytest.mark.parametrize("text", ["", "epoch,loss\n1,abc\n", "epoch,loss\n1\n", "a,b\n1,2,3\n"])
def test_a_broken_history_is_named(text, tmp_path):
    path = tmp_path / "broken.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"broken\.csv is not a training history"):
        History.from_csv(path)


def test_a_history_has_columns_of_one_length():
    with pytest.raises(ValueError, match="of one length"):
        History({"epoch": [1.0], "loss": []})
    with pytest.raises(ValueError, match="must have the columns epoch"):
        History({"epoch": [1.0]}).with_epoch({"loss": 1.0})


def faults():
    inputs = np.zeros((10, 16, 16, 1), np.float32)
    labels = np.arange(10) % 2
    return [
        (((inputs, labels), {"epochs": 0}), "epochs must be an integer of at least 1; got 0"),
        (
            ((inputs, labels), {"batch_size": 0}),
            "batch_size must be an integer of at least 1; got 0",
        ),
        (((inputs, labels), {"learning_rate": -1.0}), "learning_rate must be a number above 0"),
        (((inputs, labels), {"checkpoint": "x.h5"}), "checkpoint must be a .keras file"),
        (((inputs, labels[:5]), {}), "10 samples and 5 labels"),
        (((inputs[:0], labels[:0]), {}), "0 samples and 0 labels"),
        (((inputs, labels + 1), {}), r"labels must lie in 0\.\.1; got 1\.\.2"),
        (((inputs, labels - 1), {}), r"labels must lie in 0\.\.1; got -1\.\.0"),
        (((inputs, np.eye(2)[labels]), {}), "numpy.argmax"),
        (((inputs[:, :8], labels), {}), r"takes samples of shape \(16, 16, 1\); got \(8, 16, 1\)"),
        (((inputs[:, 0, 0], labels), {}), "Reshape the inputs"),
        (((inputs, labels), {"history": History({"epoch": [1.0] * 3}), "epochs": 2}), "has 3"),
        (((inputs, labels), {"validate": (inputs, labels + 7)}), "^validate: "),
    ]


@pytest.mark.parametrize(("arguments", "message"), faults())
def test_bad_input_is_one_clear_error(arguments, message):
    data, options = arguments
    with pytest.raises(ValueError, match=message):
        train(perceptron(2, (16, 16, 1)), data, progress=False, **options)


def test_data_of_another_kind_are_refused():
    with pytest.raises(TypeError, match="must be a Dataset, a Split or a pair"):
        train(perceptron(2, (16, 16, 1)), 7)


def test_a_loss_that_is_not_a_number_says_what_to_do(images):
    inputs = images[0].copy()
    inputs[7, 3, 3] = np.nan
    with pytest.raises(ValueError, match="look for NaN in the inputs"):
        train(perceptron(2, (16, 16, 1)), (inputs, images[1]), epochs=2, progress=False)


def test_a_killed_process_loses_only_what_is_newer_than_its_checkpoint(tmp_path):
    """Checkpoints are whole at every moment: one is read while the process is killed."""
    script = textwrap.dedent(
        """
        import os, sys, numpy as np
        from unknot.networks import perceptron
        from unknot.training import _train, train
        _train.SECONDS_BETWEEN_CHECKPOINTS = 0.0
        rng = np.random.default_rng(0)
        data = rng.random((50, 16, 16, 1), dtype=np.float32), rng.integers(0, 2, 50)
        def die(epoch, row):
            if epoch == 3:
                os.kill(os.getpid(), 9)
        train(perceptron(2, (16, 16, 1), random_state=0), data, epochs=9, random_state=0,
              checkpoint=sys.argv[1], on_epoch_end=die, progress=False)
        """
    )
    path = tmp_path / "killed.keras"
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False, timeout=120)
    assert done.returncode == -9
    model, history = load_model(path), History.from_csv(path.with_name(path.name + ".csv"))
    assert history.epochs == 2
    assert int(model.optimizer.iterations) == 2  # one step of 50 samples an epoch
