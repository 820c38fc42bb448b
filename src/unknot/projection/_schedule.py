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
# Without a first phase, as many are needed for a map that is no worse.
FAST_ALONE = 225
# The last iterations have the slow momentum again: points that still swing come to rest. The mesh
# is twice as coarse until then; errors of its forces make no difference that remains.
SETTLING = 50
COARSE = 2.0


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
    late = FAST_LATE if first else FAST_ALONE
    end = min(max_iter, first + max(late, max_iter // 5))
    settling = max(first, end - SETTLING)
    return (
        Phase(
            first,
            exaggeration,
            FAST[0],
            rate(exaggeration, EARLY_RATE),
            is_early=True,
            coarsening=COARSE,
            is_thin=True,
            instead=milder,
        ),
        Phase(
            settling,
            1.0,
            FAST[1],
            rate(1.0),
            coarsening=COARSE,
            is_thin=True,
            instead=(slow,),
        ),
        Phase(end, 1.0, SLOW[1], rate(1.0)),
    )
