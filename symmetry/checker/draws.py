"""Lists of values that Hypothesis draws, and sizes to try instead of a larger one.

Hypothesis serves as the source of the draws alone. A list is complete before any code under test
runs, so no such code, however erratic, can upset Hypothesis.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


def draw(
    strategy: SearchStrategy[T],
    count: int,
    seed: int,
    *,
    unless: Callable[[T, T], bool] = lambda _, __: False,
) -> tuple[T, ...]:
    """Return at most ``count`` values, whatever the settings of Hypothesis are at the moment.

    A value is left out if ``unless`` is true of it and an earlier one. There are fewer if the
    strategy has no more.

    Raises
    ------
    hypothesis.errors.HypothesisException
        If the strategy can draw nothing.
    """
    from hypothesis import currently_in_test_context

    if not currently_in_test_context():
        return _draw(strategy, count, seed, unless)
    # Hypothesis refuses to draw within a test of its own, but not in another thread.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_draw, strategy, count, seed, unless).result()


def sizes_below(value: int) -> tuple[int, ...]:
    """Return what to try instead of a size, the smallest first."""
    tries = {1, 2, 3, 4, 5, value // 8, value // 4, value // 2, 3 * value // 4}
    tries |= {value - 8, value - 4, value - 2, value - 1}
    return tuple(sorted(size for size in tries if 1 <= size < value))


def _draw(
    strategy: SearchStrategy[T], count: int, seed: int, unless: Callable[[T, T], bool]
) -> tuple[T, ...]:
    from hypothesis import HealthCheck, Phase, Verbosity, assume, given, settings
    from hypothesis import seed as hypothesis_seed

    drawn: list[T] = []

    @hypothesis_seed(seed)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        backend="hypothesis",
    )
    @given(strategy)
    def collect(value: T) -> None:
        assume(not any(unless(value, earlier) for earlier in drawn))
        drawn.append(value)

    collect()
    return tuple(drawn[:count])
