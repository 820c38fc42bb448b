"""What vectorized kernels share: how many numbers they take at once, and how they round."""

from typing import Final

import numpy as np

LANES: Final = 16
"""float32 numbers that are loaded, computed with and stored as one vector."""

STRIDE: Final = np.uint64(LANES)
"""The same for loops of kernels: an unsigned index needs no check for a negative one."""

REORDERED: Final = {"reassoc", "contract", "nsz"}
"""Sums may be taken in any order, so that they vectorize; no other liberty."""

FAST: Final = {*REORDERED, "arcp"}
"""Further, a division may become a product with the reciprocal."""
