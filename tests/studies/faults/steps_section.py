"""The report ``faults.md``: the faults by invariants, and the sound steps."""

from __future__ import annotations

from pathlib import Path

from symmetry.checker.options import CASES
from symmetry.law.invariant import Invariant
from symmetry.report.filling import environment, fill_paragraphs
from tests.catalogues import STEPS, select
from tests.faulty.fault import DEEPCRIME, OTHERS, Fault
from tests.sound import Sound
from tests.studies.faults.steps import Acquittal, Catch, Survey

MARKDOWN, ROWS = "faults.md", "faults.jsonl"
COMMAND = "python -m tests.studies.faults"


def render(survey: Survey) -> str:
    """Return the Markdown of a survey. There is nothing in it that changes from run to run."""
    catches = survey.catches
    templates = environment(Path(__file__).parent)
    templates.filters |= {
        "short": _short,
        "mark": _mark,
        "total": lambda invariant: sum(_mark(invariant, catch) in "●○" for catch in catches),
    }
    text = templates.get_template("faults.md.jinja").render(
        command=COMMAND,
        budget=CASES,
        invariants=STEPS,
        symmetric=select(["symmetry/*"]),
        catches=catches,
        caught=sum(catch.caught for catch in catches),
        default=sum(catch.caught and catch.by_default for catch in catches),
        dependent=sum(bool(acquittal.sound.violates) for acquittal in survey.acquittals),
        missed=[f"`{catch.fault.name}`" for catch in catches if not catch.caught],
        kinds=_kinds(catches),
        acquittals=survey.acquittals,
        accused=sum(bool(acquittal.accusing) for acquittal in survey.acquittals),
        cases=_cases,
        smallest=_smallest,
        operator=_operator,
        applying=lambda sound: len(select(sound.patterns)),
        vacuous=_vacuous,
        verdict=_verdict,
    )
    return fill_paragraphs(text)


def _short(invariant: Invariant | str) -> str:
    name = invariant if isinstance(invariant, str) else invariant.name
    return name.partition("/")[2]


def _mark(invariant: Invariant, catch: Catch) -> str:
    if invariant.name in catch.fault.caught_by:
        return "●" if invariant.name in catch.by else "✗"
    if catch.fault.varies:
        return "?"
    return "○" if invariant.name in catch.by else "·"


def _cases(catch: Catch) -> str:
    return "?" if catch.fault.varies else str(catch.cases)


def _smallest(catch: Catch) -> str:
    case = catch.smallest
    if catch.fault.varies or case is None:
        return "?"
    if catch.rounding:
        return "≈"
    return f"{case.n} × {case.i} × {case.h} × {case.c}, step {case.iterations}"


def _kinds(catches: tuple[Catch, ...]) -> dict[str, list[Fault]]:
    """Group the faults by the file they are in."""
    kinds: dict[str, list[Fault]] = {}
    for catch in catches:
        file = catch.fault.trainer.__module__.rpartition(".")[2]
        kinds.setdefault(file.capitalize(), []).append(catch.fault)
    return kinds


def _operator(fault: Fault) -> str:
    if fault.operator in DEEPCRIME:
        return f"{fault.operator}: {DEEPCRIME[fault.operator]}"
    return OTHERS[fault.operator]


def _vacuous(sound: Sound) -> str:
    return ", ".join(map(_short, sound.vacuous)) or "-"


def _verdict(acquittal: Acquittal) -> str:
    if acquittal.accusing:
        return f"accused: {', '.join(acquittal.accusing)}"
    if acquittal.unexpected:
        return "; ".join(acquittal.unexpected)
    violates = ", ".join(map(_short, acquittal.sound.violates))
    return f"violates {violates}, as it must" if violates else "as it should be"
