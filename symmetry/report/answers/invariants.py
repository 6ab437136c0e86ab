"""The meaning of an invariant, for people: its statement, why it holds, an example and a cure."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from symmetry.base.errors import SymmetryError
from symmetry.law.invariant import Invariant


def describe(name: str, invariants: Sequence[Invariant]) -> Iterator[str]:
    """Yield lines about the invariant of a name, or about the one that gives a note of that name.

    Raises
    ------
    SymmetryError
        If no invariant or note has that name.
    """
    invariant = _named(name, invariants)
    yield invariant.name
    yield f"  statement  {invariant.statement}"
    yield f"  reason     {invariant.reason}"
    yield f"  witness    {invariant.witness}"
    yield f"  targets    {invariant.targets}"
    if invariant.notes:
        yield f"  notes      {', '.join(invariant.notes)}"
    if not invariant.default:
        yield f"  default    no: --only {invariant.name} selects it"
    yield ""
    yield from invariant.about.splitlines()


def _named(name: str, invariants: Iterable[Invariant]) -> Invariant:
    names = {each: invariant for invariant in invariants for each in invariant.notes}
    names |= {invariant.name: invariant for invariant in invariants}
    if name not in names:
        close = get_close_matches(name, names, 1)
        hint = f", did you mean {close[0]!r}?" if close else f": there are {', '.join(names)}"
        raise SymmetryError(f"no invariant or note is called {name!r}{hint}")
    return names[name]
