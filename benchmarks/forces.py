"""Error of the mesh's repulsive force and of its normalizer Z on maps of MNIST.

    python benchmarks/forces.py            # 60,000 images; about two minutes

The maps are those of one t-SNE on its way: while exaggerated, and final. The truth is the sum over
all pairs in float64. Prints the table that stands in docs/benchmarks.md.
"""

import argparse

import numpy as np
from numba import njit, prange

import unknot
from unknot._parallel.n_jobs import resolve_n_jobs
from unknot._parallel.thread_team import ThreadTeam
from unknot.projection._mesh import Mesh

AT = (50, 150, 250, 350)
SPACINGS = (1.0, 0.5, 0.35, 0.25)


@njit(parallel=True, fastmath=True, cache=True)
def exact_field(x, y, x_field, y_field, phi):
    """grad phi at every point, and phi less the point itself."""
    for i in prange(len(x)):
        sx = sy = total = 0.0
        for j in range(len(x)):
            dx = x[i] - x[j]
            dy = y[i] - y[j]
            w = 1.0 / (1.0 + dx * dx + dy * dy)
            total += w
            sx -= 2.0 * w * w * dx
            sy -= 2.0 * w * w * dy
        x_field[i] = sx
        y_field[i] = sy
        phi[i] = total - 1.0


def errors(map_, spacing, true, z_true):
    x, y = np.ascontiguousarray(map_.T)
    field = np.empty((2, len(x)), np.float32)
    bounds = (float(x.min()), float(x.max()), float(y.min()), float(y.max()))
    with ThreadTeam(resolve_n_jobs(None)) as team:
        z = Mesh(len(x), spacing, team).field(x, y, bounds, *field)
    off = np.sqrt(((field - true) ** 2).sum() / (true**2).sum())
    return off, z / z_true - 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=60_000)
    points = unknot.load_dataset("mnist").train.inputs[: parser.parse_args().samples]
    maps = {}
    unknot.TSNE(random_state=0, callback=lambda i, kl, map_: maps.update({i: map_})).fit(
        points.reshape(len(points), -1)
    )
    print("| iteration | span | spacing | force off by (RMS) | Z off by |\n|---|---|---|---|---|")
    for iteration in AT:
        map_ = maps[iteration]
        x, y = map_.T.astype(np.float64)
        true, phi = np.empty((2, len(x))), np.empty(len(x))
        exact_field(np.ascontiguousarray(x), np.ascontiguousarray(y), *true, phi)
        span = np.ptp(map_, axis=0).max()
        for spacing in SPACINGS:
            off, z_off = errors(map_, spacing, true, phi.sum())
            print(f"| {iteration} | {span:.3g} | {spacing} | {100 * off:.3g} % | {z_off:.1e} |")


if __name__ == "__main__":
    main()
