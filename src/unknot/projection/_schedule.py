"""The phases of a t-SNE: exaggeration, momentum and learning rate over the iterations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._descent import Phase

if TYPE_CHECKING:
    from ._tsne import TSNE

# Factor of the automatic learning rate in the first phase: with n / exaggeration, the exaggerated
# attraction overshoots.
EARLY_RATE = 0.25
# The exaggeration after one that has collapsed the map.
MILD = 1.5


def schedule(tsne: TSNE, n_samples: int) -> list[Phase]:
    """Return the phases of a fit: early exaggeration, then none."""
    exaggeration = float(tsne.early_exaggeration)
    max_iter = int(tsne.max_iter)
    first = min(int(tsne.early_exaggeration_iter), max_iter // 2)

    def rate(exaggeration: float, factor: float = 1.0) -> float:
        if tsne.learning_rate == "auto":
            return factor * max(n_samples / exaggeration, 50.0)
        return float(tsne.learning_rate)

    milder = None
    if exaggeration > MILD:
        milder = Phase(first, MILD, 0.5, rate(MILD, EARLY_RATE))
    return [
        Phase(first, exaggeration, 0.5, rate(exaggeration, EARLY_RATE), milder),
        Phase(max_iter - first, 1.0, 0.8, rate(1.0)),
    ]
