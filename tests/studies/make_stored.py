"""Write the small study that later releases must read: ``python make_stored.py`` in this folder.

Run it for a new version of the format only, into a new folder; stored ones stay as they are.
"""

import json
from pathlib import Path

import numpy as np

import unknot
from unknot.studies import EpochRecorder

DATA = Path(__file__).parent / "data"


def make(folder: Path) -> None:
    digits = unknot.load_dataset("digits").test
    few = digits.take(np.flatnonzero(digits.labels < 4)[:40])
    data = (few.inputs, few.labels)
    rng = np.random.default_rng(0)
    fc1 = rng.normal(size=(40, 6)).astype(np.float32)
    apart = np.eye(4, dtype=np.float32)[few.labels]

    def layers(epoch: int) -> dict[str, np.ndarray]:
        return {"fc1": fc1, "dropout": fc1, "fc2": fc1[:, :4] + epoch * apart}

    quick = {
        "measures": ["neighborhood_hit", "nc1"],
        "max_iter": 250,
        "perplexity": 5,
        "n_neighbors": 10,
        "measure_options": {"n_resamples": 10, "n_permutations": 2},
        "progress": False,
    }
    recorder = EpochRecorder(data, name="tiny", **quick)
    for epoch in (1, 2):
        recorder.capture(layers(epoch), epoch)
    trained = recorder.study()
    logits = np.log(0.9 * apart + 0.025)
    powers = np.exp(logits)
    from dataclasses import replace

    study = replace(
        trained,
        predictions=logits.argmax(axis=1).astype(np.int64),
        probabilities=(powers / powers.sum(axis=1, keepdims=True)).astype(np.float32),
        controls={"untrained": {name: trained[name].scores for name in trained}},
    )
    study.save(folder)
    expected = {}
    for name, layer in study.layers.items():
        expected[name] = {
            "same_as": layer.same_as,
            "map": layer.map[3].tolist(),
            "neighbors": layer.graph.indices[3, :5].tolist(),
            "hit": layer.scores["neighborhood_hit"].value,
            "untrained": study.controls["untrained"][name]["neighborhood_hit"].value,
            "epoch 1": study.epochs[1][name].scores["neighborhood_hit"].value,
            "points": None if layer.points is None else layer.points[3].ravel()[:3].tolist(),
        }
    (folder.parent / f"{folder.name}-expected.json").write_text(
        json.dumps({"layers": expected}, indent=2) + "\n"
    )


if __name__ == "__main__":
    make(DATA / "study-1")
