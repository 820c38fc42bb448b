"""What the tests of studies share."""

# A few quick measures, natively, on the map and between the two.
MEASURES = ["neighborhood_hit", "map_neighborhood_hit", "trustworthiness", "nc1", "two_nn"]


def fast(**options):
    return {
        "measures": MEASURES,
        "max_iter": 250,
        "perplexity": 10,
        "n_neighbors": 30,
        "measure_options": {"n_resamples": 20, "n_permutations": 3},
        "progress": False,
        **options,
    }
