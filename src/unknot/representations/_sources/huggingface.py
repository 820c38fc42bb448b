"""Hugging Face data sets (the library ``datasets``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from ..._io.text import did_you_mean
from ..._typing import Array
from .reader import LABEL_KEYS, Options, Reader, as_names
from .texts import tokenize

ACCEPTS: Final = "a Hugging Face Dataset"


def adapt(data: Any, options: Options) -> Reader | None:
    """Return the reader of a data set, or of one split of several."""
    kind = type(data)
    if not kind.__module__.startswith("datasets."):
        return None
    if isinstance(data, Mapping):
        splits = list(data)
        if options.split is None and len(splits) > 1:
            raise ValueError(f"split must name one of the splits {', '.join(map(repr, splits))}")
        split = options.split or splits[0]
        if split not in data:
            raise ValueError(
                f"split must be one of {', '.join(map(repr, splits))}; "
                f"got {split!r}{did_you_mean(split, splits)}"
            )
        data = data[split]
    if not hasattr(data, "__len__"):
        raise ValueError(
            f"data: a streamed {kind.__name__} has no length; pass load_dataset without "
            "streaming=True, or an iterable of batches"
        )
    return HuggingFaceReader(data, options)


class HuggingFaceReader(Reader):
    """A data set by columns, in batches."""

    def __init__(self, data: Any, options: Options) -> None:
        super().__init__(options)
        self._data = data
        features = data.features
        self._label = self._label_column(features)
        if self._label is not None:
            self.class_names = as_names(getattr(features[self._label], "names", None))
        # Columns appear by a transform of the data set where it has one.
        self._has_transform = data.format.get("type") == "custom"
        strings = [
            name
            for name, feature in features.items()
            if getattr(feature, "dtype", None) in ("string", "large_string") and name != self._label
        ]
        self._text: str | None = None
        if options.tokenizer is not None:
            if not strings:
                raise ValueError(
                    "tokenizer: the data set has no column of texts; its columns are "
                    f"{', '.join(map(repr, features))}"
                )
            usual = [name for name in ("text", "sentence") if name in strings]
            if len(strings) > 1 and not usual:
                raise ValueError(
                    f"data: which of the columns {', '.join(map(repr, strings))} holds the texts "
                    "is not known; keep one of them, such as with .select_columns"
                )
            self._text = usual[0] if usual else strings[0]
        if strings and not self._has_transform:
            shown = self._text or strings[0]
            self.snippets = tuple(map(str, data.with_format(None)[shown]))
        self._columns = self._input_columns(features)

    def _label_column(self, features: Any) -> str | None:
        if (key := self.options.label_key) is not None:
            if key not in features:
                raise ValueError(
                    f"label_key must be one of the columns {', '.join(map(repr, features))}; "
                    f"got {key!r}{did_you_mean(key, list(features))}"
                )
            return key
        named: list[str] = [
            name for name, f in features.items() if type(f).__name__ == "ClassLabel"
        ]
        if len(named) == 1:
            return named[0]
        return next((name for name in LABEL_KEYS if name in features), None)

    def _input_columns(self, features: Any) -> list[str]:
        """Return the columns of numbers."""
        if self._has_transform or self._text is not None:
            return []
        columns = [
            name
            for name, feature in features.items()
            if name != self._label and _is_numeric(feature)
        ]
        shown = self._data.format.get("columns")
        columns = [name for name in columns if shown is None or name in shown]
        if not columns and not self.options.is_raw:
            found = ", ".join(f"{name!r} ({type(f).__name__})" for name, f in features.items())
            raise ValueError(
                f"data: the data set has no column of numbers; its columns are {found}. Pass "
                "tokenizer= for texts; for images give it a transform, such as "
                "data.with_transform(processor), or pass a DataLoader"
            )
        return columns

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        """Yield the batches."""
        size = self.options.batch_size
        data = self._data
        if not self._has_transform and not self.options.is_raw:
            wanted = [self._text] if self._text is not None else self._columns
            data = data.with_format(
                None if self._text is not None else "numpy",
                columns=[*wanted, *([self._label] if self._label else [])],
            )
        for start in range(0, len(data), size):
            batch = dict(data[start : start + size])
            labels = batch.pop(self._label, None) if self._label else None
            if self._text is not None:
                assert self.options.tokenizer is not None
                yield tokenize(self.options.tokenizer, list(map(str, batch[self._text]))), labels
            elif len(batch) == 1 and not self._has_transform and not self.options.is_raw:
                yield _one_array(*next(iter(batch.items()))), labels
            else:
                yield batch, labels

    def labels(self) -> Any:
        """Return the column of labels."""
        if self._label is None or self._has_transform:
            return None
        return list(self._data.with_format(None)[self._label])

    def subset(self, rows: Array) -> Reader:
        """Return a reader of some rows."""
        return HuggingFaceReader(self._data.select([int(row) for row in rows]), self.options)


def _one_array(name: str, part: Any) -> Any:
    """Return a single column as the input itself, unless its name says where it goes."""
    if name in ("input_ids", "pixel_values", "input_values", "inputs_embeds", "input_features"):
        return {name: part}
    return np.asarray(part)


def _is_numeric(feature: Any) -> bool:
    while hasattr(feature, "feature"):
        feature = feature.feature
    if isinstance(feature, list) and len(feature) == 1:
        feature = feature[0]
    dtype = str(getattr(feature, "dtype", ""))
    return type(feature).__name__ != "ClassLabel" and dtype.startswith(
        ("int", "uint", "float", "bool")
    )
