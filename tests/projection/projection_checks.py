import numpy as np


def entries(affinities):
    """Rows, columns and values, without the padding."""
    n = affinities.ptr[-1]
    assert len(affinities.index) == len(affinities.weight) == n + 16
    assert not affinities.index[n:].any()
    assert not affinities.weight[n:].any()
    rows = np.repeat(np.arange(len(affinities.scale)), np.diff(affinities.ptr))
    values = affinities.weight[:n] * affinities.scale[rows].astype(np.float64)
    return rows, affinities.index[:n], values
