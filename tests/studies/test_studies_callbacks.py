"""Recording by the callbacks of real training libraries, as the documentation shows."""

import re
from pathlib import Path

import numpy as np
import pytest
from studies_settings import fast

from unknot.studies import EpochRecorder, RecordingWarning

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "training-callbacks.md"
LABELS = np.repeat([0, 1, 2], 40)
POINTS = (np.random.default_rng(0).normal(size=(120, 6)) + LABELS[:, None]).astype(np.float32)


def recording(recorder, base):
    """Return the callback of the documentation for a library, by the class that it extends."""
    text = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(rf"^class Recording\({re.escape(base)}\):\n(?:    .*\n|\n)+", text, re.M)
    assert len(code.strip().splitlines()) <= 10
    names = {"recorder": recorder}
    if base == "TrainerCallback":
        from transformers import TrainerCallback

        names["TrainerCallback"] = TrainerCallback
    else:
        names["L"] = pytest.importorskip("lightning")
    exec(compile(code, str(PAGE), "exec"), names)
    return names["Recording"]()


def recorder_of(**options):
    return EpochRecorder((POINTS, LABELS), **fast(measures="neighborhood_hit", **options))


def same_weights(one, other):
    import torch

    return all(
        torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items()
    )


# Hugging Face's Trainer.


@pytest.fixture
def trainer(tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = torch.nn.Linear(6, 8), torch.nn.Linear(8, 3)
            self.dropout = torch.nn.Dropout(0.3)

        def forward(self, x, labels=None):
            logits = self.fc2(self.dropout(torch.relu(self.fc1(x))))
            if labels is None:
                return logits
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    rows = [{"x": x, "labels": int(y)} for x, y in zip(POINTS, LABELS, strict=True)]

    def make(callbacks, epochs=3, **options):
        torch.manual_seed(0)
        arguments = transformers.TrainingArguments(
            str(tmp_path / "trainer"),
            num_train_epochs=epochs,
            per_device_train_batch_size=20,
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
            **{"save_strategy": "no", **options},
        )
        return transformers.Trainer(Net(), arguments, train_dataset=rows, callbacks=callbacks)

    return make


def test_trainer_records_every_epoch_and_is_not_changed(trainer):
    recorder = recorder_of()
    recorded = trainer([recording(recorder, "TrainerCallback")])
    recorded.train()
    assert recorder.failures == {}
    assert recorder.captured == (0, 1, 2, 3)
    alone = trainer([])
    alone.train()
    assert same_weights(recorded.model, alone.model)
    study = recorder.study()
    output = list(study)[-1]
    hits = [there.scores.value(output, "neighborhood_hit") for there in study.epochs.values()]
    assert len(set(hits)) > 1
    np.testing.assert_allclose(
        study[output].points[:],
        recorded.model.eval()(recorded.model.fc1.weight.new_tensor(POINTS)).detach(),
        atol=1e-5,
    )


def test_a_trainer_that_is_resumed_begins_with_its_epoch(trainer):
    first, later = recorder_of(), recorder_of()
    training = trainer([recording(first, "TrainerCallback")], epochs=2, save_strategy="epoch")
    training.train()
    training = trainer([recording(later, "TrainerCallback")], epochs=4)
    training.train(resume_from_checkpoint=True)
    assert later.captured == (2, 3, 4)
    before, after = first.study().epochs[2], later.study().epochs[2]
    np.testing.assert_array_equal(before["fc2"].points, after["fc2"].points)


def test_a_recorder_that_fails_ends_no_trainer(trainer):
    recorder = EpochRecorder((POINTS[:, :5], LABELS), **fast(measures="neighborhood_hit"))
    training = trainer([recording(recorder, "TrainerCallback")])
    with pytest.warns(RecordingWarning, match="epoch 0 was not recorded"):
        training.train()
    assert training.state.epoch == 3
    assert list(recorder.failures) == [0, 1, 2, 3]


# Lightning.


@pytest.fixture
def lightning():
    torch = pytest.importorskip("torch")
    L = pytest.importorskip("lightning")

    class Module(L.LightningModule):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = torch.nn.Linear(6, 8), torch.nn.Linear(8, 3)
            self.dropout = torch.nn.Dropout(0.3)

        def forward(self, x):
            return self.fc2(self.dropout(torch.relu(self.fc1(x))))

        def training_step(self, batch, _):
            return torch.nn.functional.cross_entropy(self(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    def train(callbacks, epochs=3, **options):
        torch.manual_seed(0)
        data = torch.utils.data.TensorDataset(torch.from_numpy(POINTS), torch.from_numpy(LABELS))
        module = Module()
        trainer = L.Trainer(
            max_epochs=epochs,
            callbacks=callbacks,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            accelerator="cpu",
            enable_checkpointing=False,
        )
        loader = torch.utils.data.DataLoader(data, 20, shuffle=True)
        trainer.fit(module, loader, **options)
        return module, trainer

    return train


@pytest.mark.filterwarnings("ignore:.*num_workers:UserWarning")
@pytest.mark.filterwarnings("ignore:.*log_every_n_steps:UserWarning")
@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_lightning_records_every_epoch_and_is_not_changed(lightning, tmp_path):
    recorder = recorder_of()
    module, trainer = lightning([recording(recorder, "L.Callback")])
    assert recorder.failures == {}
    assert recorder.captured == (0, 1, 2, 3)
    assert same_weights(module, lightning([])[0])
    assert module.training
    assert recorder.study().epochs[3].accuracy > 0.4  # 1/3 by chance
    # From a checkpoint it goes on.
    trainer.save_checkpoint(tmp_path / "three.ckpt")
    later = recorder_of()
    lightning([recording(later, "L.Callback")], epochs=4, ckpt_path=tmp_path / "three.ckpt")
    assert later.captured == (3, 4)


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:.*num_workers:UserWarning")
def test_a_recorder_that_fails_ends_no_lightning_training(lightning):
    recorder = EpochRecorder((POINTS[:, :5], LABELS), **fast(measures="neighborhood_hit"))
    with pytest.warns(RecordingWarning, match="epoch 0 was not recorded"):
        _, trainer = lightning([recording(recorder, "L.Callback")])
    assert trainer.current_epoch == 3
