"""Small models saved in folders, as their libraries save them; nothing is downloaded."""

import pytest

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]


def bert(labels=3):
    """Return a classifier of texts."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.BertConfig(
        vocab_size=50, intermediate_size=64, num_labels=labels, **sizes
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return transformers.BertForSequenceClassification(config).eval()


def sentence_transformer(folder):
    """Save and return a SentenceTransformer of four modules."""
    library = pytest.importorskip("sentence_transformers")
    transformers = pytest.importorskip("transformers")
    from sentence_transformers.sentence_transformer.modules import (
        Dense,
        Normalize,
        Pooling,
        Transformer,
    )

    inner = folder.parent / f"{folder.name}-inner"
    bert().bert.save_pretrained(inner)
    (inner / "vocab.txt").write_text("\n".join(WORDS))
    transformers.BertTokenizer(str(inner / "vocab.txt")).save_pretrained(inner)
    parts = [Transformer(str(inner)), Pooling(32), Dense(32, 16), Normalize()]
    model = library.SentenceTransformer(modules=parts, device="cpu")
    model.save_pretrained(str(folder))
    return model
