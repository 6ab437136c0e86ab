"""The record of what was found about a target: it says itself, in lines of text and as JSON."""

import html
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Literal

from symmetry.base.records import dump
from symmetry.base.user_code import Phase
from symmetry.culprit.script import Script
from symmetry.units.words import count, in_ulps

Outcome = Literal[
    "nothing split",
    "explained",
    "rounding",
    "another way",
    "not reached",
    "compiled only",
    "not while observed",
]
_PHASES = {"forward": "forward: ", "backward": "backward: ", "optimizer": "optimiser: "}


@dataclass(frozen=True)
class Difference:
    """How far units of one array are apart that should be equal."""

    groups: str  # in words: which units form which group
    ulps: int | None  # the largest distance; None for numbers without ulps
    relative: float  # the largest relative distance
    size: str  # against what came before: a jump, or of the size of rounding

    def __str__(self) -> str:
        if self.ulps is None and self.relative == 0:
            return self.groups
        ulps = "" if self.ulps is None else f"{in_ulps(self.ulps)}, "
        return f"{self.groups}; {ulps}a relative {self.relative:.2g} apart"


@dataclass(frozen=True)
class Operand:
    """An array that went into an operation, or came out of it."""

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in entries, not in bytes
    memory: str  # contiguous, transposed or strided
    units: str  # where its units are, and whether they are equal

    def __str__(self) -> str:
        strides = f" (strides {', '.join(map(str, self.strides))})"
        memory = self.memory + strides * (self.memory != "contiguous")
        return f"{self.dtype} {self.shape}, {memory}; {self.units}"


@dataclass(frozen=True)
class Culprit:
    """An operation that made units different which were equal."""

    operation: str
    file: str  # where the user's code asks for it
    line: int
    source: str  # the text of that line
    phase: Phase  # what the training was at
    module: str  # the path of the module whose forward it belongs to
    parameter: str  # the array of the state that it writes into, in the user's terms, if known
    rows: str  # which places of that
    step: int  # of the run, from 1
    cause: str  # what it did, in a sentence
    operands: tuple[Operand, ...]
    result: Operand
    difference: Difference  # of the result
    remarks: tuple[str, ...] = ()  # where operands come from
    evidence: tuple[str, ...] = ()  # what repeating it, and making its result equal, came to
    script: Script | None = field(default=None, compare=False)  # does it again alone, if it can

    def __str__(self) -> str:
        """Name it in the user's terms: ``optimiser: mul_ on fc1.weight, rows 9, train.py:31``."""
        phase = _PHASES.get(self.phase)
        name = phase + self.operation.removeprefix("aten.") if phase else self.operation
        layer = "layer " * self.module.replace(".", "").isdigit()
        inside = f" of {layer}{self.module}" if self.module else ""
        on = f" on {self.parameter}" if self.parameter else inside
        place = f"{self.file}:{self.line}" if self.file else ""
        return ", ".join(filter(None, [name + on, self.rows, place]))

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield what is known of it, each with a label."""
        if self.source:
            yield "", f"  {self.source}"
        yield "cause", self.cause
        yield "step", str(self.step)
        yield from ((f"operand {i}", str(operand)) for i, operand in enumerate(self.operands, 1))
        yield "result", str(self.result)
        yield "units", str(self.difference)
        yield "size", self.difference.size
        yield from (("origin", remark) for remark in self.remarks)
        yield from (("evidence", evidence) for evidence in self.evidence)


@dataclass(frozen=True)
class Explanation:
    """What observing a target came to.

    Attributes
    ----------
    trainer
        The target's name.
    outcome
        *nothing split*: equal units stayed equal. *explained*: there is a culprit. *rounding*: what
        tells units apart is of the size of rounding. *another way*: it cannot be told, the run
        takes another way when units differ. *not reached*: no operation that was seen tells them
        apart. *compiled only*: only the compiled step splits them. *not while observed*: they
        split, but not while the run was watched.
    steps, step
        Steps that were compared; the first one after which units differ, or None.
    units, array, difference
        The name of their group, the array of the state that shows it first, and how far they are;
        None if they stay equal, but an exchange of two units that differ does more than exchange
        them.
    observed
        Number of array operations that were seen.
    culprits
        The operations that split them, the first one first; one that may be rounding comes last.
    remarks
        What else a reader should know.
    """

    trainer: str
    outcome: Outcome
    steps: int
    step: int | None = None
    units: str = ""
    array: str = ""
    difference: Difference | None = None
    observed: int = 0
    culprits: tuple[Culprit, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """What came out, in one line."""
        if self.step is None:
            steps = count(self.steps, "step")
            return f"{self.trainer}: nothing split: in {steps} all equal units stayed equal"
        split = f"{self.units} split in step {self.step} ({self.array}: {self.difference})"
        if self.difference is None:
            more = f"does more than exchange them in {self.array}"
            split = f"exchanging two of the {self.units} {more}"
        split = f"{self.trainer}: {split}"
        if self.culprits:
            by_rounding = self.outcome == "rounding"
            because = "by rounding: the first that differs is" if by_rounding else "because of"
            return f"{split}, {because} {self.culprits[0]}"
        return split + {
            "another way": ", and the run takes another way when units differ",
            "compiled only": ": compiled only; its operations one by one do not split them",
            "not while observed": ", but not while its array operations are observed",
        }.get(self.outcome, ": not reached: no operation that was seen splits them")

    def lines(self) -> Iterator[str]:
        """Yield what a person wants to read, the most important things first."""
        yield self.headline
        for culprit in self.culprits:
            label = "first" if self.outcome == "rounding" else "culprit"
            facts = ((label, str(culprit)), *culprit.facts())
            yield from ("", *(f"{label:<12}{text}" for label, text in facts))
        yield ""
        for remark in self.remarks:
            yield f"{'note':<12}{remark}"
        if self.step is not None:
            yield f"{'observed':<12}{count(self.observed, 'array operation')}"

    def to_json(self) -> str:
        """Return the text of the file that ``symmetry explain --json`` writes."""
        content = asdict(self)
        for culprit in content["culprits"]:
            culprit["script"] = culprit["script"] and culprit["script"]["text"]
        return dump(content) + "\n"

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"
