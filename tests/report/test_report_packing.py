"""Packing arrays as text is lossless."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unknot.report._packing import pack, pack_map, pack_shares, unpack


@given(st.lists(st.integers(0, 2**32 - 1), max_size=50))
def test_whole_numbers_come_back(values):
    assert unpack(pack(np.array(values, dtype=np.int64))).tolist() == values


@pytest.mark.parametrize(
    ("greatest", "dtype", "size"),
    [(255, "u8", 1), (256, "u16", 2), (65535, "u16", 2), (65536, "u32", 4)],
)
def test_the_narrowest_type_is_taken(greatest, dtype, size):
    packed = pack(np.array([0, greatest]))
    assert packed["dtype"] == dtype
    assert unpack(packed).nbytes == 2 * size


def test_bytes_are_little_endian():
    # 0x0102 = 258 is the bytes 02 01, in base64 AgE=.
    assert pack(np.array([0x0102])) == {"dtype": "u16", "data": "AgE="}


@pytest.mark.parametrize("values", [[-1], [2**32]])
def test_other_numbers_are_refused(values):
    with pytest.raises(ValueError, match=r"values must be from 0 to 2\*\*32 - 1; got"):
        pack(np.array(values))


def test_shares_are_rounded_to_a_255th_and_kept_in_range():
    # 255 / 3 = 85.
    shares = np.array([-0.1, 0.0, 1 / 3, 1.0, 1.1])
    assert unpack(pack_shares(shares)).tolist() == [0, 0, 85, 255, 255]


def test_shares_of_six_neighbors_keep_their_percentages():
    shares = np.arange(7, dtype=np.float32) / 6
    percentages = np.rint(unpack(pack_shares(shares)) / 2.55)
    assert percentages.tolist() == [0, 17, 33, 50, 67, 83, 100]


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6, width=32), st.floats(-1e6, 1e6, width=32)), min_size=1)
)
def test_a_map_comes_back_within_half_a_step(points):
    map_ = np.array(points, dtype=np.float32)
    packed = pack_map(map_)
    for axis, name in enumerate("xy"):
        low, high = packed[f"{name}Range"]
        assert low < high
        values = low + unpack(packed[name]) / 65535 * (high - low)
        exact = map_[:, axis].astype(float)
        assert np.abs(values - exact).max() <= (high - low) / 131070 * (1 + 1e-6)
