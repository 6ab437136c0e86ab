"""The problems of a check: verdicts of one cause together, each in plain words.

A problem is described as a reader would: the line of the code that is wrong, how sure that is, and
the command that repeats it. Terminal, pytest and the formats of CI systems render these records.

A message says what was found, and mostly ends with what to do: ``parted`` keeps the two apart.
"""

from __future__ import annotations

import builtins
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from symmetry.base.notebooks import cell_of, text_lines
from symmetry.base.user_code import spell
from symmetry.checker.verdict import Checked, Verdict
from symmetry.explanation.explained import Culprit, Explained
from symmetry.law.invariant import Invariant
from symmetry.law.measurement import FAILS, Violation
from symmetry.law.note import Note
from symmetry.law.statements import CLONES
from symmetry.report.failures import (
    Fact,
    Verbosity,
    facts_of_case,
    has_name,
    in_python,
    next_step,
    repetition,
)
from symmetry.report.filling import command_line
from symmetry.report.folding import folded
from symmetry.report.verdicts import notes

# The first words of a cure, in messages.
# fmt: off
_DOING = {
    "Accumulate", "Add", "Apply", "Average", "Call", "Clip", "Compare", "Compute", "Copy",
    "Count", "Divide", "Draw", "Evaluate", "Exchange", "Give", "Hand", "Initialise", "Keep",
    "Leave", "Let", "Load", "Make", "Mask", "Move", "Multiply", "Normalise", "Pass", "Put",
    "Read", "Rename", "Return", "Save", "Scale", "Seed", "Set", "Shift", "Shuffle", "Split",
    "Start", "Step", "Sum", "Take", "Train", "Update", "Use", "Write",
}
# fmt: on
_SENTENCES = re.compile(r"(?<=[.?])\s+(?=[A-Z])")
_CLAUSES = re.compile(r"[:;,] ")


def parted(text: str) -> tuple[str, str]:
    """Return the fact of a message, and the cure that it ends with; empty if it has none.

    Examples
    --------
    >>> parted("this clips nothing: no parameter has a gradient yet. Clip behind backward().")
    ('this clips nothing: no parameter has a gradient yet', 'Clip behind backward().')
    >>> parted("the loss is given probabilities: give it the logits")
    ('the loss is given probabilities', 'Give it the logits.')
    """
    sentences = _SENTENCES.split(text.strip())
    for number, sentence in enumerate(sentences[1:], 1):
        first = sentence.partition(" ")[0]
        if first in _DOING or (first == "If" and any(_begins(p) for p in sentence.split(", ")[1:])):
            return _bare(" ".join(sentences[:number])), " ".join(sentences[number:])
    for clause in _CLAUSES.finditer(text):
        rest = text[clause.end() :]
        if clause[0][0] in ":;" and _begins(rest):
            return _bare(text[: clause.start()]), f"{rest[0].upper()}{rest[1:].rstrip('.')}."
    return _bare(text), ""


def _begins(text: str) -> bool:
    """Return whether a clause says what to do."""
    return text.partition(" ")[0].rstrip(",").capitalize() in _DOING


def _bare(text: str) -> str:
    return text.strip().removesuffix(".")


Level = Literal["violation", "note"]
_WORDS = ((1e9, "billion"), (1e6, "million"))
_WRITTEN = {"float32": "as written", "float64": "in float64"}
_MEND = "Correct the line; if it is not known, run the script by itself."
_NUMBER = re.compile(r"\d+(?:[,.]\d+)*(?:e[+-]?\d+)?")


@dataclass(frozen=True)
class Problem:
    """Verdicts of one cause."""

    text: str  # a description in one or two sentences, without the line
    invariants: tuple[str, ...]  # names of the violated invariants
    # The line of the user's code, if it is known.
    file: str | None = None
    line: int | None = None
    source: str = ""
    certainty: str = ""  # how sure this is; empty if the text says it
    where: str = ""  # the dtypes in which they are violated, if they hold in the other one
    # Commands: one repeats the failure, one shows more; empty without one.
    repeat: str = ""
    more: str = ""
    facts: tuple[Fact, ...] = ()  # further lines: a label and a text each
    # Whether the text goes on where a line of the code is the subject: ``treats ...``.
    continues: bool = False
    # Whether the target fails by itself: it raises, exits with a status, or is killed.
    fails: bool = False
    level: Level = "violation"  # a note is one that does not fail the check
    operation: str = ""  # in words, that splits units, if it is known
    statement: str = ""  # of the invariant that is violated
    usual_cause: str = ""  # the usual reason for a violation of it
    usual_cure: str = ""  # an instruction that usually mends one
    twin: int = 0  # how many problems of the check came before with the same names and line text

    @property
    def place(self) -> str:
        """``file:line``, or the cell of a notebook; empty if the line is not known."""
        if cell := cell_of(self.file, self.line):
            return f"{self.file}, cell {cell.cell}, line {cell.line}"
        if self.file and self.line:
            return f"{self.file}:{self.line}"
        return self.file or ""

    @property
    def found_by(self) -> str:
        """The names of the violated invariants, in words."""
        return ", ".join(self.invariants)

    @property
    def check(self) -> str:
        """The invariant, or the note, that names it."""
        return self.invariants[0]

    @property
    def about(self) -> str:
        """The command that prints the meaning of its invariant."""
        return f"symmetry check --about {self.check}"

    @property
    def id(self) -> str:
        """A name that stays if other lines of the file change."""
        where = " ".join(self.source.split()) or _NUMBER.sub("#", self.text)
        words = "\0".join((self.check, self.file or "", where, str(self.twin)))
        return hashlib.sha256(words.encode()).hexdigest()[:12]

    @property
    def fact(self) -> str:
        """The fact that was measured, without its cause and its cure."""
        if self.continues and self.certainty and not self.fails:
            return self.certainty
        fact, _ = (self.text, "") if self.fails else parted(self.text)
        return f"{fact}. {self.certainty}" if self.certainty else fact

    @property
    def cause(self) -> str:
        """The usual reason for it; the operation that was found, where units are told apart."""
        if self.continues and self.certainty and not self.fails:
            return f"this line {self.text}{self.operation and f' ({self.operation})'}"
        return self.usual_cause

    @property
    def cure(self) -> str:
        """An instruction that usually mends it."""
        if self.fails:
            return _MEND
        example = f"Read the example and its cure: {self.about}"
        return parted(self.text)[1] or self.usual_cure or example

    @property
    def further_cure(self) -> str:
        """The cure of a violation whose text has none; empty if it has one."""
        return "" if self.fails or self.level == "note" or parted(self.text)[1] else self.usual_cure

    @property
    def sentence(self) -> str:
        """The text behind its line; it is the rest of a sentence if it begins with a verb."""
        if not self.place:
            return self.text
        return f"{self.place} {self.text}" if self.continues else f"{self.place}: {self.text}"


def problems(checked: Checked, explained: Explained | None = None) -> tuple[Problem, ...]:
    """Return the problems of a check.

    A failure of the target comes first, then those with a line.

    ``explained`` is the explanation of its first violation that has one.
    """
    groups: dict[object, list[Verdict]] = {}
    for verdict in checked.verdicts:
        if verdict.gates:
            groups.setdefault(_cause(verdict), []).append(verdict)
    found = [_problem(checked, verdicts, explained) for verdicts in groups.values()]
    found += [_noted(checked, note, "violation") for note in checked.gating]
    return _told_apart(sorted(found, key=lambda each: (not each.fails, not each.place)))


def all_problems(checked: Checked, explained: Explained | None = None) -> tuple[Problem, ...]:
    """Return the problems of a check, and behind them the notes that do not fail it."""
    others = (_noted(checked, note, "note") for note in notes(checked))
    return _told_apart((*problems(checked, explained), *others))


def _noted(checked: Checked, note: Note, level: Level) -> Problem:
    source = _source(note.file, note.line)
    told = Problem(
        note.text, (note.name,), file=note.file, line=note.line, source=source, level=level
    )
    givers = (v.about for v in checked.verdicts if note.name in {k.name for k in v.about.notes})
    giver = next(givers, None)
    return told if giver is None else _in_words(told, giver)


def _in_words(problem: Problem, invariant: Invariant) -> Problem:
    """Return a problem with the words of the invariant that it violates."""
    return replace(
        problem,
        usual_cause=invariant.cause,
        usual_cure=invariant.cure,
        statement=invariant.statement,
    )


def _told_apart(found: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return problems with ids of their own, also where the texts of their lines are the same."""
    apart: dict[str, Problem] = {}
    for problem in found:
        while problem.id in apart:
            problem = replace(problem, twin=problem.twin + 1)
        apart[problem.id] = problem
    return tuple(apart.values())


def _cause(verdict: Verdict) -> object:
    """Return what verdicts of one cause share.

    Equal units that are told apart violate several invariants; an error is the same everywhere. A
    two-layer step has a smallest case of its own for each verdict.
    """
    if _fails(verdict):
        return (verdict.file, verdict.line) if verdict.file else verdict.message
    if verdict.stale or verdict.about.two_layer:
        return verdict.invariant
    if verdict.about.exchanges == "units":
        return "units"
    if verdict.violation is not None and verdict.violation.mechanism:
        return verdict.violation.mechanism
    return (verdict.file, verdict.line) if verdict.file else verdict.invariant


def _problem(checked: Checked, verdicts: Sequence[Verdict], explained: Explained | None) -> Problem:
    verdicts = sorted(verdicts, key=lambda verdict: not verdict.file)
    first = verdicts[0]
    names = tuple(dict.fromkeys(verdict.invariant for verdict in verdicts))
    others = [v for v in verdicts[1:] if v.invariant == first.invariant]
    repeat = repetition(checked.target, first, *others)
    more = (next_step(checked, first) or "") if repeat else ""
    if _fails(first):
        return _failure(first, names, repeat, more)
    if first.stale:
        text = f"{first.invariant} was expected to fail ({first.reason}), but it does not"
        return Problem(
            text,
            names,
            certainty="Remove the expectation; --update-baseline removes it from a baseline.",
        )
    known = None
    if explained is not None and explained.culprits and first.about.exchanges:
        known = explained.culprits[0]
    violation = first.violation
    file, line = (first.file, first.line) if known is None else (known.file, known.line)
    text, continues = _sentence(verdicts, explained if known else None, located=bool(file))
    if not more and known is not None and repeat:
        named, target = has_name(checked.target, first), _target(checked, first)
        more = command_line("explain", target) if named else in_python(target, "explain")
    elif not (more or first.about.two_layer or first.about.exchanges):
        shell = "!" * hasattr(builtins, "get_ipython")  # runs a command from a notebook
        more = f"{shell}symmetry check --about {first.invariant}"
    told = Problem(
        text,
        names,
        file=file or None,
        line=line or None,
        source=known.source if known else _source(file, line),
        certainty=_certainty(verdicts),
        where=_where(checked, verdicts),
        repeat=repeat,
        more=more,
        facts=(*_other_lines(verdicts), *(() if violation is None else _facts(first, known))),
        continues=continues,
        operation="" if known is None else _operation(known),
    )
    return _in_words(told, first.about)


def _target(checked: Checked, verdict: Verdict) -> str:
    """Return the name of the target that fails: of trainings with drawn arguments, the smallest."""
    return checked.target if verdict.smallest is None else verdict.smallest.target


def _source(file: str | None, line: int | None) -> str:
    """Return the text of a line, from the folder in which the command runs."""
    lines = text_lines(file) if file and line else []
    return lines[line - 1].strip() if line and line <= len(lines) else ""


def _fails(verdict: Verdict) -> bool:
    """Return whether a verdict says that the target fails by itself."""
    violation = verdict.violation
    return verdict.kind == "error" or (violation is not None and violation.mechanism == FAILS)


def _failure(verdict: Verdict, names: tuple[str, ...], repeat: str, more: str) -> Problem:
    """Return a failure of the target: what its line does, or the whole message without a line."""
    subject = "the step does not work" if verdict.about.two_layer else "the training fails"
    file, line, text = verdict.file, verdict.line, f"{subject}: {verdict.message}"
    if file and verdict.violation is not None:
        text = verdict.violation.message
    return Problem(
        text,
        names,
        file=file,
        line=line,
        source=_source(file, line),
        repeat=repeat,
        more=more,
        continues=bool(file),
        fails=True,
        statement=verdict.about.statement,
        usual_cause="the script fails by itself, without the check as well",
    )


def _sentence(
    verdicts: Sequence[Verdict], explained: Explained | None, *, located: bool
) -> tuple[str, bool]:
    """Return the description of a violation, and whether a line of the code is its subject."""
    clones = next((v for v in verdicts if v.violation and v.invariant == CLONES.name), verdicts[0])
    violation, about = clones.violation, clones.about
    if about.exchanges == "units" and violation is not None:
        # A two-layer step may be explained at other sizes: it keeps its own units.
        if explained and explained.units == violation.group and not about.two_layer:
            # Its operation is named by this pair of the same units.
            violation = replace(violation, units=explained.culprits[0].pair or violation.units)
        pair = _pair(violation, about)
        return (f"treats {pair}", True) if located else (f"the {about.noun} treats {pair}", False)
    if about.exchanges and located:
        return about.failure, True
    return verdicts[0].message, False


def _pair(violation: Violation, about: Invariant) -> str:
    """Name the odd unit and a usual one; only the group where all of its units were rearranged."""
    group = violation.group or "equal units"
    if violation.units is None or (about.compared == "response" and about.name != CLONES.name):
        return f"{group} differently"
    odd, usual = violation.units
    if about.two_layer:
        return f"hidden unit {odd} differently from hidden unit {usual}"
    layer = group.removesuffix(" units").removesuffix(" recurrent")
    place = f" of {layer}" if violation.group else ""
    return f"unit {odd}{place} differently from unit {usual}"


def _certainty(verdicts: Sequence[Verdict]) -> str:
    """Return how many times the deviation exceeds rounding, in the first precision judged."""
    judged = [v for v in verdicts if v.dtype == verdicts[0].dtype]
    measured = [v for v in judged if v.ratio is not None and v.threshold]
    if not measured:
        return ""
    worst = max(measured, key=lambda verdict: verdict.ratio or 0.0)
    doing = {"units": "Renumbering these equal units", "samples": "Rearranging the samples"}
    subject = doing.get(worst.about.exchanges, "This")
    return (
        f"{subject} changes the {worst.about.noun} {_times(worst.ratio or 0.0)} times as far as "
        f"rounding moves it ({worst.threshold:g} times is the limit)."
    )


def _times(ratio: float) -> str:
    """Return a large number in words: ``1.8 million``."""
    if ratio == float("inf"):
        return "infinitely many"
    for size, word in _WORDS:
        if ratio >= size * 1000 and word == "billion":
            return f"{ratio:.0e}"
        if ratio >= size:
            return f"{ratio / size:.2g} {word}"
    return f"{ratio:,.0f}" if ratio >= 1000 else f"{ratio:.3g}"


def _where(checked: Checked, verdicts: Sequence[Verdict]) -> str:
    """Name the only precision in which a training is violated, if it was checked in two."""
    names = {verdict.invariant for verdict in verdicts}
    dtypes = {verdict.dtype for verdict in verdicts}
    judged = {
        v.dtype for v in checked.verdicts if v.invariant in names and v.kind != "not applicable"
    }
    if len(dtypes) == 1 and len(judged) > 1 and not verdicts[0].about.two_layer:
        return f"only {_WRITTEN[next(iter(dtypes))]}"
    return ""


def _other_lines(verdicts: Sequence[Verdict]) -> Iterable[tuple[str, str]]:
    """Yield the lines that other invariants name for the same cause."""
    lines = [*dict.fromkeys(spell(v.file, v.line) for v in verdicts if v.file)]
    if len(lines) > 1:
        yield "see also", ", ".join(lines[1:])


def _facts(verdict: Verdict, culprit: Culprit | None) -> Iterable[Fact]:
    if culprit is not None:
        yield "operation", _operation(culprit)
    yield from facts_of_case(verdict, Verbosity.ANSWER)


def _operation(culprit: Culprit) -> str:
    return culprit.operation + (f": {culprit.cause}" if culprit.cause else "")


def rendered(problem: Problem, verbosity: Verbosity = Verbosity.ANSWER) -> Iterator[str]:
    """Yield a problem in lines; its sentence begins with the line of the code, if that is known.

    A system that takes messages shows the line itself, unless the line is the subject.
    """
    if verbosity == Verbosity.MESSAGE:
        text = problem.sentence if problem.continues else problem.text
        lines = (text, problem.certainty, problem.repeat and f"repeat: {problem.repeat}")
        yield from filter(None, lines)
        return
    yield from folded(problem.sentence)
    if problem.source:
        yield f"      {problem.source}"
    yield from folded(problem.certainty, "  ", "")
    where = f", {problem.where}" if problem.where else ""
    facts: list[Fact] = [("found by", f"{problem.found_by}{where}")]
    if cure := problem.further_cure:
        facts.append(("cure", cure))
    for label, fact in (*facts, *problem.facts):
        yield from folded(f"{label:<9} {fact}" if fact else "", "  ", " " * 10)
    commands = ("repeat", problem.repeat), ("more", problem.more)
    yield from (f"  {label:<9} {command}" for label, command in commands if command)


def message(problem: Problem) -> str:
    """Return a problem as one message of a CI system."""
    return "\n".join(rendered(problem, Verbosity.MESSAGE))
