"""The model and the simulation of the benchmark of clusters."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "scale_model.py"


@pytest.fixture(scope="module")
def model():
    spec = importlib.util.spec_from_file_location("scale_model", PATH)
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules["scale_model"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["scale_model"]


def measured(model, cost, sizes):
    return [model.Measured("map", model.Size(*size), cost(*size)) for size in sizes]


SIZES = [(1000, 8, 0), (2000, 8, 500), (4000, 16, 500), (1000, 32, 2000), (3000, 4, 9000)]


def test_costs_are_those_that_the_tasks_had(model):
    def cost(n, d, m):
        return 0.5 + 1e-4 * n + 2e-7 * n * d + 3e-8 * n * m

    costs = model.Costs(measured(model, cost, SIZES))
    assert costs.seconds("map", model.Size(80_000, 64, 10_000)) == pytest.approx(
        cost(80_000, 64, 10_000)
    )
    ((kind, count, error, weights),) = costs.rows()
    assert (kind, count) == ("map", 5)
    assert error < 1e-6
    assert np.allclose(weights, [0.5, 1e-4, 2e-7, 3e-8])


def test_no_cost_falls_with_size(model):
    # Noise alone would make a negative slope.
    falling = [(1000, 0, 0), (2000, 0, 0)]
    costs = model.Costs(measured(model, lambda n, d, m: 2.0 - n / 2000, falling))
    assert costs.seconds("map", model.Size(10**6)) >= 1.0
    with pytest.raises(KeyError, match="'scores' was not measured; there are map"):
        costs.seconds("scores", model.Size(1))


def test_tasks_go_to_the_worker_that_is_free_first(model):
    # Worker A: 3, then 2 more; worker B: 1, 1, 1, then 4: ends at 7.
    stage = model.Stage([3, 1, 1, 1, 2, 4])
    assert model.simulate([stage], 2) == 7
    assert model.simulate([stage], 1) == 12
    assert model.simulate([stage], 1000) == 4


def test_stages_wait_for_each_other_and_workers_start_at_once(model):
    one, two = model.Stage([1.0]), model.Stage([1.0, 1.0, 1.0], first=0.5)
    # The first stage ends at 10 + 1. One worker then does a task by 12.5, 13.5 and 14.5; of two,
    # both do one by 12.5, and one of them the third by 13.5.
    assert model.simulate([one, two], 1, startup=10) == 14.5
    assert model.simulate([one, two], 2, startup=10) == 13.5
    # Two bytes a second, whoever works.
    slow = model.Stage([1.0] * 4, n_bytes=20)
    assert model.simulate([slow], 4, bandwidth=2) == 10
