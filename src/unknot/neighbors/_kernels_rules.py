"""What the compiled kernels of the neighbor search and their callers share; needs no Numba."""

# Bounds are sorted into this many classes.
CLASSES = 64
