"""The meaning of invariants and notes, for people: the facts, why they hold, an example, a cure.

Topics, such as ``scripts``, describe how a check is used; their texts are in one file.
"""

import textwrap
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from symmetry.base.errors import SymmetryError
from symmetry.checker.verdict import Checked
from symmetry.law.invariant import Invariant
from symmetry.law.note import NoteKind
from symmetry.report.folding import WIDTH
from symmetry.report.problems import problems, rendered


def describe(name: str, invariants: Sequence[Invariant]) -> Iterator[str]:
    """Yield lines about the invariant, the note or the topic of a name.

    Raises
    ------
    SymmetryError
        If nothing has that name.
    """
    texts = topics()
    known = {invariant.name: invariant for invariant in invariants}
    kinds = {kind.name: kind for invariant in invariants for kind in invariant.notes}
    if name in known:
        yield from _of_invariant(known[name])
    elif name in kinds:
        yield from _of_note(kinds[name], invariants)
    elif name in texts:
        yield from _folded(texts[name])
    else:
        close = get_close_matches(name, {*known, *kinds, *texts}, 3)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise SymmetryError(
            f"no invariant, note or topic is called {name!r}: {hint}topics are {', '.join(texts)} "
            "(invariants: symmetry check --list)"
        )


def topics() -> dict[str, str]:
    """Return the texts of topics, by their names."""
    page = Path(__file__).parent.joinpath("templates", "topics.md").read_text("utf-8")
    parts = (part.partition("\n") for part in f"\n{page}".split("\n## ")[1:])
    return {name: text.strip() for name, _, text in parts}


def _of_note(kind: NoteKind, invariants: Sequence[Invariant]) -> Iterator[str]:
    yield f"{kind.name}, a note"
    for giver in invariants:
        if kind in giver.notes:
            yield f"  given by   {giver.name}: {giver.statement}"
    alone = "it does where it proves itself" if kind.proof else "by itself a note does not"
    yield f"  gate       --gate {kind.name} fails the check; {alone}"
    yield ""
    yield from _folded(kind.meaning)
    if more := kind.proof or kind.why:
        yield ""
        yield from _folded(more)


def _of_invariant(invariant: Invariant) -> Iterator[str]:
    yield invariant.name
    yield f"  statement  {invariant.statement}"
    yield f"  reason     {invariant.reason}"
    yield f"  witness    {invariant.witness}"
    yield f"  targets    {invariant.targets}"
    if invariant.notes:
        yield f"  notes      {', '.join(kind.name for kind in invariant.notes)}"
    for excuse in invariant.excuses:
        yield f"  spared     {excuse.name}: {excuse.sentence}"
    if invariant.selected_by:
        yield f"  default    no: it is checked with {invariant.selected_by}"
    yield ""
    yield from meaning(invariant)


def meaning(invariant: Invariant) -> Iterator[str]:
    """Yield an example of an invariant, how it is measured, and a cure, in lines."""
    first, _, rest = invariant.about.partition("\n\n")
    repeats = first.startswith(f"``{invariant.name}``: ")  # the statement
    yield from _folded(rest if repeats else invariant.about)


def problem_lines(checked: Checked) -> Iterator[str]:
    """Yield the problems of a check, each with the invariant that it breaks, and how to mend it."""
    known = {verdict.invariant: verdict.about for verdict in checked.verdicts}
    for number, problem in enumerate(problems(checked)):
        if number:
            yield ""
        yield from rendered(problem)
        for each in (known[name] for name in problem.invariants):
            yield from ("", f"{each.name}: {each.statement}", f"  reason     {each.reason}", "")
            yield from meaning(each)


def _folded(text: str) -> Iterator[str]:
    for line in text.splitlines():
        long = len(line) > WIDTH.get() and not line.startswith("    ")  # a command stays whole
        yield from textwrap.wrap(line, WIDTH.get()) if long else (line,)
