"""Compiled kernels between a mesh and one four times coarser: nothing validated.

A cubic B-spline of four times the width is a weighted sum of 13 narrow ones (``weights``). So the
charges on the coarse mesh are weighted sums of those on the fine mesh, and a coarse potential is
interpolated to the fine mesh without error. Node 1 of the coarse mesh lies at node 0 of the fine.
"""

import numpy as np
from numba import njit

from .._parallel.barrier import barrier, next_task
from .._parallel.simd import STRIDE
from ._kernels_fourier import convolve_strips, transform_back_strips, transform_strips
from ._kernels_lanes import fma, load, noinline, splat, store

STRIP = 32
# A literal 0 has a type of its own, for which the kernels would be compiled again.
START = np.int64(0)
# Coarse rows per task.
BAND = 8


@njit(no_cfunc_wrapper=True)
def restrict(charges, first, last, weights, line, coarse):
    """Compute the charges of coarse rows first to last from the sum of partial fine meshes.

    ``line`` is a buffer for a fine row and 32 more nodes.
    """
    noinline()
    parts, rows, columns = charges.shape
    flat = charges.reshape(-1)
    nx = np.uint64(rows)
    ny = np.uint64(columns)
    # Fine column c is at c + 10, padded with zeros.
    store(line, np.uint64(0), splat(np.float32(0)))
    store(line, ny + np.uint64(10), splat(np.float32(0)))
    store(line, ny + np.uint64(16), splat(np.float32(0)))
    for at in range(first, last):
        top = 4 * (at - 1) - 6
        low = -top if top < 0 else 0
        high = rows - top if rows - top < 13 else 13
        for column in range(np.uint64(0), ny, STRIDE):
            total = splat(np.float32(0))
            for tap in range(low, high):
                row = np.uint64(top + tap)
                charge = load(flat, row * ny + column)
                for part in range(np.uint64(1), np.uint64(parts)):
                    charge = charge + load(flat, (part * nx + row) * ny + column)
                total = fma(splat(weights[tap]), charge, total)
            store(line, column + np.uint64(10), total)
        out = coarse[at]
        for to in range(columns // 4 + 3):
            taps = line[4 * to : 4 * to + 13]
            total = np.float32(0)
            for tap in range(13):
                total += weights[tap] * taps[tap]
            out[to] = total


@njit(no_cfunc_wrapper=True)
def add_coarse(coarse, first, weights, across, potential):
    """Add the coarse potential to 32 columns of the fine one, from column ``first`` on.

    ``across`` is a buffer for 32 columns of the coarse mesh.
    """
    noinline()
    rows, columns = potential.shape
    flat = potential.reshape(-1)
    n_coarse = rows // 4 + 3
    for row in range(n_coarse):
        line = coarse[row]
        out = across[row * STRIP : (row + 1) * STRIP]
        for quad in range(STRIP // 4):
            near = line[first // 4 + quad : first // 4 + quad + 4]
            for rest in range(4):
                # Coarse node t of the four is rest + 4 - 4 t fine nodes away.
                total = weights[rest + 6] * near[1] + weights[rest + 2] * near[2]
                if rest <= 2:
                    total += weights[rest + 10] * near[0]
                if rest >= 2:
                    total += weights[rest - 2] * near[3]
                out[4 * quad + rest] = total
    for part in range(2):
        for quad in range(rows // 4):
            at = np.uint64(quad * STRIP + part * 16)
            a = load(across, at)
            b = load(across, at + np.uint64(STRIP))
            c = load(across, at + np.uint64(2 * STRIP))
            d = load(across, at + np.uint64(3 * STRIP))
            to = np.uint64(4 * quad * columns + first + part * 16)
            for rest in range(4):
                total = fma(splat(weights[rest + 6]), b, load(flat, to))
                total = fma(splat(weights[rest + 2]), c, total)
                if rest <= 2:
                    total = fma(splat(weights[rest + 10]), a, total)
                if rest >= 2:
                    total = fma(splat(weights[rest - 2]), d, total)
                store(flat, to, total)
                to += np.uint64(columns)


@njit(inline="always")
def convolve(charges, mesh, re, im, potential):
    """Run a complete convolution on one thread."""
    spectrum_re, spectrum_im = mesh.spectrum_re, mesh.spectrum_im
    transform_strips(charges, START, mesh.n_strips, mesh.down, re, im, spectrum_re, spectrum_im)
    convolve_strips(
        START,
        mesh.n_blocks,
        mesh.columns,
        mesh.across,
        mesh.influence,
        re,
        im,
        spectrum_re,
        spectrum_im,
    )
    transform_back_strips(
        spectrum_re, spectrum_im, START, mesh.n_strips, mesh.down, re, im, potential
    )


@njit(inline="always")
def solve(thread, n_threads, shared, charges, solver, buffers, potential):
    """Compute the potential of the sum of partial meshes of charges; called by all threads.

    Returns False if a thread has given up. ``solver`` is a `_potentials.Potential`; ``buffers`` has
    two rows per thread.
    """
    fine = solver.fine
    coarse = solver.coarse
    two = solver.n_levels == 2
    re = buffers[2 * thread]
    im = buffers[2 * thread + 1]
    fine_re, fine_im = fine.spectrum_re, fine.spectrum_im
    rows = solver.coarse_charges.shape[1] if two else 0
    bands = (rows + BAND - 1) // BAND
    task = next_task(shared)
    while task < fine.n_strips + bands:
        if task < fine.n_strips:
            transform_strips(charges, task, task + 1, fine.down, re, im, fine_re, fine_im)
        else:
            first = (task - fine.n_strips) * BAND
            last = first + BAND if first + BAND < rows else rows
            restrict(charges, first, last, solver.weights, re, solver.coarse_charges[0])
        task = next_task(shared)
    if not barrier(shared, n_threads):
        return False
    whole = 1 if two else 0
    task = next_task(shared)
    while task < fine.n_blocks + whole:
        if task < whole:
            convolve(solver.coarse_charges, coarse, re, im, solver.coarse_potential)
        else:
            first = task - whole
            convolve_strips(
                first,
                first + 1,
                fine.columns,
                fine.across,
                fine.influence,
                re,
                im,
                fine_re,
                fine_im,
            )
        task = next_task(shared)
    if not barrier(shared, n_threads):
        return False
    task = next_task(shared)
    while task < fine.n_strips:
        transform_back_strips(fine_re, fine_im, task, task + 1, fine.down, re, im, potential)
        if two:
            add_coarse(solver.coarse_potential, task * STRIP, solver.weights, re, potential)
        task = next_task(shared)
    return barrier(shared, n_threads)
