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
# Momenta of the first phase and after it [vanDerMaaten2008]; for maps without clusters.
SLOW = (0.5, 0.8)
# For all other maps. With momentum m a map moves 1 / (1 - m) times as far in an iteration: these do
# in 150 and 200 iterations what the slow ones do in 250 and 750, and more.
FAST = (0.8, 0.95)
FAST_EARLY = 150
FAST_LATE = 200
# The last iterations have the slow momentum again: points that still swing come to rest.
SETTLING = 50


def schedule(tsne: TSNE, n_samples: int) -> tuple[Phase, ...]:
    """Return the phases of a fit: early exaggeration, then none, at last with less momentum."""
    exaggeration = float(tsne.early_exaggeration)
    max_iter = int(tsne.max_iter)
    early = min(int(tsne.early_exaggeration_iter), max_iter // 2)

    def rate(exaggeration: float, factor: float = 1.0) -> float:
        if tsne.learning_rate == "auto":
            return factor * max(n_samples / exaggeration, 50.0)
        return float(tsne.learning_rate)

    slow = Phase(max_iter, 1.0, SLOW[1], rate(1.0))
    milder: tuple[Phase, ...] = ()
    if exaggeration > MILD:
        milder = (Phase(early, MILD, SLOW[0], rate(MILD, EARLY_RATE), is_early=True), slow)
    first = min(early, FAST_EARLY)
    end = min(max_iter, first + max(FAST_LATE, max_iter // 5))
    return (
        Phase(first, exaggeration, FAST[0], rate(exaggeration, EARLY_RATE), True, milder),
        Phase(max(first, end - SETTLING), 1.0, FAST[1], rate(1.0), instead=(slow,)),
        Phase(end, 1.0, SLOW[1], rate(1.0)),
    )
