import numpy as np
import pytest
from numba import njit

from unknot.projection import _potentials
from unknot.projection._fourier import Convolution, Plan, good_length
from unknot.projection._kernels_fourier import (
    forward,
    forward_permuted,
    transform_back_strips,
    transform_strips,
    transpose_tile,
)
from unknot.projection._kernels_levels import add_coarse, convolve, restrict
from unknot.projection._potentials import WEIGHTS, Potential

LENGTHS = (1, 2, 3, 4, 6, 8, 12, 24, 27, 32, 54, 96, 216, 256, 432, 864, 1024, 1728)


@njit
def transform(re, im, radices, tables, twiddles, back):
    if back:
        forward_permuted(im, re, radices, tables, twiddles)
    else:
        forward(re, im, radices, tables, twiddles)


@pytest.mark.parametrize("length", LENGTHS)
def test_transform_equals_the_library_and_comes_back(length):
    rng = np.random.default_rng(length)
    values = rng.normal(size=(length, 16)) + 1j * rng.normal(size=(length, 16))
    re, im = (np.ascontiguousarray(part, np.float32).ravel() for part in (values.real, values.imag))
    plan = Plan.of(length)
    assert sorted(plan.positions) == list(range(length))
    arguments = (re, im, plan.radices, plan.tables, plan.twiddles)
    transform(*arguments, False)
    found = (re + 1j * im).reshape(length, 16)[plan.positions]
    true = np.fft.fft(values, axis=0)
    assert np.abs(found - true).max() < 1e-6 * np.abs(true).max() + 1e-6
    transform(*arguments, True)
    np.testing.assert_allclose((re + 1j * im).reshape(length, 16) / length, values, atol=3e-6)


@njit
def transpose_in_place_of(source, start, target, to):
    transpose_tile(source, start, target, to)


def test_a_tile_is_transposed_between_any_two_places():
    source = np.arange(300, dtype=np.float32)
    target = np.zeros(300, np.float32)
    transpose_in_place_of(source, np.uint64(7), target, np.uint64(30))
    expected = np.zeros(300, np.float32)
    expected[30 : 30 + 256] = source[7 : 7 + 256].reshape(16, 16).T.ravel()
    np.testing.assert_array_equal(target, expected)


def test_a_tile_is_transposed_out_of_line():
    """Inlined, it takes most of the time to compile its callers."""
    columns = np.zeros(8, np.float32)
    words = np.zeros(8, np.uint64)
    plan = (words, words, columns, words.astype(np.int64))
    strips = np.int64(0), np.int64(0)
    mesh = np.zeros((1, 1, 32), np.float32)

    @njit
    def there(mesh, first, last, plan, re):
        transform_strips(mesh, first, last, plan, re, re, re, re)

    @njit
    def back(mesh, first, last, plan, re):
        transform_back_strips(re, re, first, last, plan, re, re, mesh[0])

    for caller in (there, back):
        caller(mesh, *strips, plan, columns)
        (code,) = caller.inspect_llvm().values()
        bodies = [line for line in code.splitlines() if line.startswith("define")]
        assert sum("transpose_tile" in line for line in bodies) == 1
        calls = [line for line in code.splitlines() if " call " in line]
        assert sum("transpose_tile" in line for line in calls) == 4


def test_lengths():
    assert [good_length(n) for n in (1, 5, 7, 10, 440, 468, 1000)] == [1, 6, 8, 12, 512, 512, 1024]
    with pytest.raises(ValueError, match="2 and 3; got 10"):
        Plan.of(10)
    with pytest.raises(ValueError, match="multiple of 32; got 33"):
        Convolution.of(33, (64, 96), np.zeros((33, 96)))


def convolved(charges, mesh, buffers):
    potential = np.empty(charges.shape[1:], np.float32)

    @njit
    def run(charges, mesh, buffers, potential):
        convolve(charges, mesh, buffers[0], buffers[1], potential)

    run(charges, mesh, buffers, potential)
    return potential


def test_convolution_equals_the_library():
    # Two partial meshes of 40 x 64, in a period in which the second direction wraps around.
    rng = np.random.default_rng(0)
    charges = rng.random((2, 40, 64)).astype(np.float32)
    padded = (96, 72)
    away = [np.minimum(np.arange(m), m - np.arange(m)) for m in padded]
    kernel = np.exp(-0.1 * (away[0][:, None] ** 2 + away[1] ** 2))
    spectrum = np.fft.fft2(kernel).real
    mesh = Convolution.of(64, padded, spectrum[:49, :37])
    found = convolved(charges, mesh, np.empty((2, mesh.buffer_size), np.float32))
    whole = np.fft.fft2(charges.sum(axis=0).astype(np.float64), s=padded)
    true = np.fft.ifft2(whole * spectrum).real[:40, :64]
    np.testing.assert_allclose(found, true, rtol=1e-5)


def cubic(u):
    u = np.abs(u)
    return np.where(u < 1, 2 / 3 - u**2 + u**3 / 2, np.where(u < 2, (2 - u) ** 3 / 6, 0.0))


def test_a_wide_spline_is_made_of_narrow_ones():
    x = np.linspace(-9, 9, 501)
    taps = np.arange(-6, 7)
    np.testing.assert_allclose(
        (WEIGHTS * cubic(x[:, None] - taps)).sum(axis=1), cubic(x / 4), atol=1e-6
    )


def between_meshes(n_fine, n_coarse):
    """The slow twin: entry (C, f) is the narrow spline's weight of fine node f in coarse node C."""
    away = np.arange(n_fine) - 4 * (np.arange(n_coarse)[:, None] - 1)
    padded = np.concatenate([WEIGHTS, np.zeros(1)])
    return padded[np.where(np.abs(away) <= 6, away + 6, 13)]


def test_charges_go_to_the_coarse_mesh_and_potentials_come_back():
    rng = np.random.default_rng(1)
    charges = rng.random((2, 32, 64)).astype(np.float32)
    found = np.zeros((11, 32), np.float32)
    scratch = np.full(1000, np.nan, np.float32)
    restrict(charges, 0, 11, WEIGHTS, scratch, found)
    rows, columns = between_meshes(32, 11), between_meshes(64, 19)
    true = rows @ charges.sum(axis=0).astype(np.float64) @ columns.T
    np.testing.assert_allclose(found[:, :19], true, rtol=1e-5)
    np.testing.assert_allclose(found.sum(), charges.sum(), rtol=1e-6)  # no charge is lost
    coarse = rng.normal(size=(11, 32)).astype(np.float32)
    potential = np.ones((32, 64), np.float32)
    add_coarse(coarse, 0, WEIGHTS, scratch, potential)
    add_coarse(coarse, 32, WEIGHTS, scratch, potential)
    np.testing.assert_allclose(potential, 1 + rows.T @ coarse[:, :19] @ columns, atol=1e-5)


def test_two_levels_equal_one(monkeypatch):
    # Around a charge, the potential is the kernel itself.
    two = Potential.of((128, 160), 0.5)
    monkeypatch.setattr(_potentials, "TWO_LEVELS", 1000)
    one = Potential.of((128, 160), 0.5)
    assert (one.n_levels, two.n_levels) == (1, 2)
    assert one.offset == two.offset
    np.testing.assert_allclose(two.near, one.near, atol=2e-5)
