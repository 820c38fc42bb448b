"""Commands that are killed at random moments, and let end."""

import numpy as np
import pytest

from killing import Command, differing


@pytest.fixture
def ends_the_same(tmp_path):
    """Kill a command at random moments, let it end, and compare what is there with a whole run."""

    def check(kills, *arguments):
        command = Command(*arguments)
        whole = tmp_path / "whole"
        command.run(whole / "out")
        rng = np.random.default_rng()
        for number in range(kills):
            folder = tmp_path / f"killed-{number}"
            after = float(rng.uniform(0, 1.05 * command.seconds))
            command.kill(folder / "out", after)
            command.run(folder / "out")
            assert not differing(folder, whole), f"killed after {after:.2f} s"

    return check
