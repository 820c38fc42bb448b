"""Measures of points on disk, read in small blocks, are those of the same points in memory."""

import warnings

import numpy as np
import pytest

from unknot._io.stored_points import StoredPoints
from unknot.metrics._shared.metric import COSINE, in_metric
from unknot.metrics._shared.moments import class_moments
from unknot.metrics.control import control_task_from_points
from unknot.metrics.directions import alignment_from_directions, uniformity_from_directions
from unknot.metrics.discrimination import fisher_ratio_from_moments
from unknot.metrics.effort import description_length_from_points
from unknot.metrics.robustness import probe_noise_from_points, probe_transfer_from_points
from unknot.metrics.scale import class_dimension_from_points
from unknot.metrics.spanning_tree import spanning_tree_from_points
from unknot.metrics.spectrum import effective_rank_from_points
from unknot.metrics.topology import class_topology_from_points

CLASSES = np.arange(3)


def fisher(points, codes, classes):
    return fisher_ratio_from_moments(class_moments(points, codes, 3), classes, points, codes)


def directions(measure):
    return lambda points, *rest: measure(in_metric(points, COSINE)[0], *rest)


def transfer(points, codes, classes):
    return probe_transfer_from_points(points, codes, points[:40], codes[:40], classes)


MEASURES = {
    "fisher_ratio": fisher,
    "alignment": directions(alignment_from_directions),
    "uniformity": directions(lambda points, codes, classes: uniformity_from_directions(points)),
    "effective_rank": effective_rank_from_points,
    "spanning_tree_edges": spanning_tree_from_points,
    "class_dimension": class_dimension_from_points,
    "class_topology": class_topology_from_points,
    "description_length": description_length_from_points,
    "control_task": control_task_from_points,
    "probe_noise": probe_noise_from_points,
    "probe_transfer": transfer,
}


@pytest.mark.parametrize("name", MEASURES)
def test_points_on_disk_give_the_same(tmp_path, name):
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.arange(300) % 3)
    points = (rng.normal(size=(300, 8)) + 2 * np.eye(3, 8)[codes]).astype(np.float32)
    np.save(tmp_path / "points.npy", points)
    stored = StoredPoints(np.load(tmp_path / "points.npy", mmap_mode="r"), max_memory=4000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        on_disk = MEASURES[name](stored, codes, CLASSES)
        in_memory = MEASURES[name](points, codes, CLASSES)
    assert on_disk.value == pytest.approx(in_memory.value, rel=1e-5)
    assert on_disk.value not in (0.0, 1.0)
    if getattr(in_memory, "influence", None) is not None:
        np.testing.assert_allclose(on_disk.influence, in_memory.influence, rtol=1e-4, atol=1e-4)
