"""Load labeled data: embedded, from files, from folders of images, or from arrays in memory.

`load_dataset` takes any of them and returns a `Dataset` with float32 inputs and labels 0..C-1.
"""

from ._dataset import Dataset, DatasetError, Split
from ._dataset import stratified_indices as stratified_indices
from ._load import load_dataset

__all__ = ["Dataset", "DatasetError", "Split", "load_dataset"]
