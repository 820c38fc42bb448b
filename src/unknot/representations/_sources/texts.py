"""Texts with a tokenizer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from ..._typing import Array
from .reader import Options, Reader

ACCEPTS: Final = "a list of texts, with tokenizer="


def adapt(data: Any, options: Options) -> Reader | None:
    """Return the reader of a sequence of strings."""
    texts = as_texts(data)
    if texts is None:
        return None
    if options.tokenizer is None:
        if options.is_raw:
            return TextReader(texts, options)
        raise ValueError(
            f"inputs are texts, such as {texts[0][:40]!r}: pass tokenizer=, a callable that gives "
            "a dict of arrays for a list of texts, such as a transformers tokenizer"
        )
    return TextReader(texts, options)


def as_texts(data: Any) -> list[str] | None:
    """Return a sequence of strings as a list; None for anything else."""
    if isinstance(data, str | bytes | Mapping) or not hasattr(data, "__len__"):
        return None
    if not isinstance(data, Sequence | np.ndarray) and not hasattr(data, "iloc"):
        return None
    if getattr(data, "ndim", 1) != 1 or not len(data):
        return None
    listed = list(data)
    return [str(text) for text in listed] if all(isinstance(t, str) for t in listed) else None


class TextReader(Reader):
    """Texts, tokenized batch by batch and padded to the longest of each."""

    def __init__(self, texts: Sequence[str], options: Options) -> None:
        super().__init__(options)
        self._texts = texts
        self.snippets = tuple(texts)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        """Yield the batches of tokens."""
        size = self.options.batch_size
        at_limit = 0
        for start in range(0, len(self._texts), size):
            batch = list(self._texts[start : start + size])
            if self.options.tokenizer is None:
                yield batch, None
                continue
            tokens = tokenize(self.options.tokenizer, batch)
            at_limit += _at_limit(self.options.tokenizer, tokens)
            yield tokens, None
        limit = getattr(self.options.tokenizer, "model_max_length", 0)
        text = f"{at_limit:,} texts reach the tokenizer's limit of {limit:,} tokens, and may be cut"
        if at_limit and text not in self.notes:
            self.notes.append(text)

    def subset(self, rows: Array) -> Reader:
        """Return a reader of some texts."""
        return TextReader([self._texts[row] for row in rows], self.options)


def tokenize(tokenizer: Any, texts: list[str]) -> dict[str, Any]:
    """Return the tokens of some texts, padded to one length.

    Raises
    ------
    ValueError
        If the tokenizer fails, or returns anything but a dict of rectangular arrays.
    """
    name = type(tokenizer).__name__
    is_transformers = hasattr(tokenizer, "padding_side") and hasattr(tokenizer, "pad")
    if is_transformers and getattr(tokenizer, "pad_token", None) is None:
        raise ValueError(
            f"tokenizer: {name} has no token for padding; set tokenizer.pad_token, such as to "
            "tokenizer.eos_token"
        )
    try:
        if is_transformers:
            result = tokenizer(texts, padding=True, truncation=True, return_tensors="np")
        else:
            result = tokenizer(texts)
    except Exception as error:
        raise ValueError(
            f"tokenizer: {name} fails for the texts {texts[0][:40]!r} ...: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(result, Mapping):
        raise ValueError(
            f"tokenizer must return a dict of arrays (n_texts, ...) for a list of texts; got "
            f"{type(result).__name__}"
        )
    tokens: dict[str, Any] = {}
    for key, part in result.items():
        if hasattr(part, "detach"):
            part = part.detach().cpu().numpy()
        try:
            array = np.asarray(part)
        except ValueError as error:
            raise ValueError(
                f"tokenizer: {key!r} has rows of different lengths; pad them to one length"
            ) from error
        if array.dtype.kind not in "biuf":
            continue  # such as the texts themselves
        if not array.ndim or len(array) != len(texts):
            raise ValueError(
                f"tokenizer: {key!r} must have a row for each of the {len(texts)} texts; got the "
                f"shape {array.shape}"
            )
        tokens[key] = array
    if not tokens:
        raise ValueError(f"tokenizer: {name} returns no arrays; got {', '.join(map(repr, result))}")
    return tokens


def _at_limit(tokenizer: Any, tokens: Mapping[str, Any]) -> int:
    """Return how many texts fill the whole length that a transformers tokenizer allows."""
    limit, mask = getattr(tokenizer, "model_max_length", None), tokens.get("attention_mask")
    if not isinstance(limit, int) or mask is None or mask.shape[1] < limit:
        return 0
    return int((mask.sum(axis=1) >= limit).sum())
