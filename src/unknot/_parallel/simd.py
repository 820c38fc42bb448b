"""Constants of vectorized kernels: the vector width and the fast-math flags."""

from typing import Final

import numpy as np

LANES: Final = 16
"""float32 numbers per vector."""

STRIDE: Final = np.uint64(LANES)
"""LANES for the loops of kernels: an unsigned index needs no check for negative values."""

REORDERED: Final = {"reassoc", "contract", "nsz"}
"""Allow sums in any order, so that they vectorize; nothing else."""

FAST: Final = {*REORDERED, "arcp"}
"""Allow, in addition, to replace a division by a product with the reciprocal."""
