"""The result of a comparison of trainings: as text, as JSON, as HTML, and as a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from symmetry.base.errors import FAILED, FOUND, OK
from symmetry.base.records import dump
from symmetry.base.user_code import spell
from symmetry.comparison.outcome import (
    Compared,
    ComparedTraining,
    DtypeResult,
    FirstDifference,
    Whole,
)
from symmetry.units.words import count

_NAMED = 3  # of the arrays that only one side has; the others are counted
_INDENT = 9
_OF_RESULTS = ("dtype", "step", "array", "ratio", "threshold", "steps", "note")  # in JSON


def lines(compared: Compared) -> Iterator[str]:
    """Yield what the command prints: a paragraph for each of the others."""
    for number, other in enumerate(compared.others):
        if number:
            yield ""
        yield headline(compared.reference, other)
        for label, text in facts(compared.reference, other):
            yield f"  {label:{_INDENT}}{text}"


def _answer(first: FirstDifference | None) -> str:
    """Return the lines of the first difference, with which the headline begins."""
    if first is None or first.file is None or first.line is None:
        return ""
    there = ""
    if first.reference_file is not None and first.reference_line is not None:
        there = f" ({spell(first.reference_file, first.reference_line)} of the reference)"
    return f"{spell(first.file, first.line)}{there}: "


def headline(reference: str, other: ComparedTraining) -> str:
    """Say in one line whether it is the same training."""
    if other.error:
        return f"{other.name} does not run: {other.error}"
    if other.same is None:
        return f"{other.name} could not be compared with {reference}"
    if other.same:
        return f"{other.name} is the same training as {reference}, up to rounding"
    return f"{_answer(other.first)}{other.name} is another training than {reference}"


def facts(reference: str, other: ComparedTraining) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of one of the others, each with a label."""
    if other.first is not None:
        yield "first", other.first.text
    for result in other.results:
        yield result.dtype, in_words(result)
    if other.whole is not None:
        yield "epochs", whole_in_words(other.whole)
        if other.whole.pooled:
            yield "losses", other.whole.pooled
        if other.whole.left_out:
            yield "left out", other.whole.left_out
    elif other.same and (steps := _steps(other)):
        later = "later steps, schedules and evaluations were not (--steps, --whole)"
        yield "looked", f"{count(steps, 'step')} compared; {later}"
    for name, only in ((reference, other.only_in_reference), (other.name, other.only_in_other)):
        if only:
            more = len(only) - _NAMED
            rest = f" and {count(more, 'more', 'more')}" * (more > 0)
            yield "only in", f"{name}: {', '.join(only[:_NAMED])}{rest}"
    for note in other.notes:
        yield "note", note


def _steps(other: ComparedTraining) -> int:
    """Return how many steps of trainings were judged; 0 for two-layer steps."""
    return max((r.steps for r in other.results if not r.cases), default=0)


def whole_in_words(whole: Whole) -> str:
    """Return how far whole epochs are the same."""
    calls = f"{count(whole.evaluated, 'call')} for evaluation"
    seen = f"{count(whole.updates, 'update')} and {calls}"
    if whole.same is False:
        return f"the same over {seen} before that"
    if whole.ratio is None or whole.same is None:
        return f"cannot judge: {whole.note}"
    judged = f"at most {whole.ratio:.2g} responses (limit {whole.threshold:g})"
    return f"{judged} in {count(whole.numbers, 'number')} over {seen}; ended: {whole.ended}"


def in_words(result: DtypeResult) -> str:
    """Return the largest ratio, its limit, and where it is."""
    if result.ratio is None:
        return result.note
    limit = f"responses (limit {result.threshold:g})"
    note = f"; {result.note}" * bool(result.note)
    if result.differs:
        case = f" of the case {result.case}" * bool(result.case)
        return f"{result.ratio:.2g} {limit}: {result.array} after step {result.step}{case}{note}"
    judged = f"{count(result.arrays, 'array')} over {count(result.steps, 'step')}"
    if result.cases:
        judged = count(result.cases, "case")
    where = f": {result.array}" * (result.ratio > 0)
    return f"at most {result.ratio:.2g} {limit} in {judged}{where}{note}"


def to_json(compared: Compared) -> str:
    """Return the text of the file that ``--json`` names."""
    others = [
        {
            "name": other.name,
            "same": other.same,
            "first": other.first and vars(other.first),
            "whole": other.whole and {k: v for k, v in vars(other.whole).items() if k != "first"},
            "results": [
                {**{key: getattr(r, key) for key in _OF_RESULTS}, "case": r.case or None}
                for r in other.results
            ],
            "only_in_reference": other.only_in_reference,
            "only_in_other": other.only_in_other,
            "notes": other.notes,
            "error": other.error or None,
            "arguments": other.arguments or None,
        }
        for other in compared.others
    ]
    return dump({"reference": compared.reference, "others": others}) + "\n"


def exit_code(others: Iterable[ComparedTraining]) -> int:
    """Return 1 if one differs or raises an error; 2 if one could not be compared; else 0."""
    same = [other.same for other in others]
    return FOUND if False in same else FAILED if None in same else OK


def unjudged(others: Sequence[ComparedTraining]) -> str:
    """Say why one could not be compared."""
    other = next(other for other in others if other.same is None)
    notes = [other.whole.note] if other.whole is not None else [r.note for r in other.results]
    return f"{other.name}: {'; '.join(notes)}"
