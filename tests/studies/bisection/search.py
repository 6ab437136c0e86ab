"""The search for the first of several releases with another verdict than the first one.

As in ``git bisect``, a release that cannot be judged is passed over: the nearest one is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """Two releases between which the verdict changes, by their places in the sequence."""

    before: int  # the last one that is known to have the verdict of the first
    after: int  # the first one that is known to have another
    between: tuple[int, ...]  # those between them, none of which could be judged


def first_change(
    releases: Sequence[str], verdict: Callable[[str], Hashable | None]
) -> Change | None:
    """Return where the verdict changes; None if the first and the last release have the same.

    Parameters
    ----------
    releases
        At least two, in their order. Both ends must be ones that can be judged.
    verdict
        Returns the verdict of a release, None if it cannot be judged. It is called about
        ``log2(len(releases))`` times, and at most once for each release.
    """
    before, after = 0, len(releases) - 1
    old = verdict(releases[before])
    if verdict(releases[after]) == old:
        return None
    unknown = set[int]()
    while untried := [n for n in range(before + 1, after) if n not in unknown]:
        middle = min(untried, key=lambda n: abs(2 * n - before - after))
        found = verdict(releases[middle])
        if found is None:
            unknown.add(middle)
        elif found == old:
            before = middle
        else:
            after = middle
    return Change(before, after, tuple(range(before + 1, after)))
