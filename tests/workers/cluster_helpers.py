"""What the tests of clusters share; importable in worker processes."""

import hashlib
from pathlib import Path

OPTIONS = {
    "measures": ["neighborhood_hit", "map_neighborhood_hit", "nc1", "two_nn"],
    "max_iter": 250,
    "perplexity": 10,
    "n_neighbors": 30,
    "measure_options": {"n_resamples": 20, "n_permutations": 3},
    "progress": False,
}


def files(folder):
    """The digest of each file of a study, but of the durations."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        for path in Path(folder).rglob("*")
        if path.is_file() and path.name not in ("seconds.json", ".lock")
    }
