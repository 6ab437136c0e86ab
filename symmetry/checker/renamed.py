"""Names of invariants and notes that have changed: the old ones are accepted for a while.

A name is never used for something else. Whoever renames an invariant or a note adds a line to
``RENAMED``; it goes to ``GONE`` with the second release after that. A name that is
removed goes to ``GONE`` at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from symmetry.checker.ignored import Ignored
from symmetry.checker.options import Options

RENAMED: Mapping[str, str] = {}  # the new name, by the old one
GONE: frozenset[str] = frozenset()  # names that nothing may have again


def current(name: str) -> str:
    """Return the name that an invariant or a note has now."""
    return RENAMED.get(name, name)


def renamed_in(options: Options, ignored: Iterable[Ignored] = ()) -> Iterator[str]:
    """Yield a line for each old name in options, and in comments that excuse lines."""
    named = (options.only, options.skip, options.gate, options.require, options.expected_failures)
    comments = (each.names for each in ignored)
    for old in dict.fromkeys(name for names in (*named, *comments) for name in names):
        if old in RENAMED:
            yield f"{old} is called {RENAMED[old]} now: a later release refuses the old name"


def renewed(options: Options) -> Options:
    """Return the options with new names."""
    expected = {current(name): reason for name, reason in options.expected_failures.items()}
    return replace(
        options,
        only=_current(options.only),
        skip=_current(options.skip),
        gate=_current(options.gate),
        require=_current(options.require),
        expected_failures=expected,
    )


def excusing(ignored: Ignored) -> Ignored:
    """Return a comment that excuses a line, with new names."""
    return replace(ignored, names=_current(ignored.names))


def _current(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(current, names))
