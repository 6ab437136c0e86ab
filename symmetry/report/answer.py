"""The answer of a check, as a person reads it: problems first, then notes, then what was tested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from symmetry.base.devices import Substitution
from symmetry.base.errors import FAILED, FOUND, OK
from symmetry.base.names import words_of
from symmetry.checker.verdict import JUDGED, LOSS_NOT_FINITE, Checked, Verdict
from symmetry.explanation.explained import Explained
from symmetry.report.failures import details, has_name
from symmetry.report.filling import command_line, fill_in
from symmetry.report.folding import folded
from symmetry.report.problems import Problem, problems, rendered
from symmetry.report.verdicts import (
    NOT_CHECKED,
    and_notes,
    conclusion,
    gist,
    judged,
    limits,
    note_line,
    notes,
)
from symmetry.units.words import count

_TOPICS = 12  # that are named in a line


def lines(checked: Checked, explained: Explained | None = None) -> Iterator[str]:
    """Yield what a check prints, with an empty line between two blocks."""
    first, *others = filter(None, blocks(checked, explained))
    yield from first
    for block in others:
        yield from ("", *block)


def blocks(checked: Checked, explained: Explained | None = None) -> Iterator[tuple[str, ...]]:
    """Yield the answer in one line, each problem, the notes, and the rest."""
    found = problems(checked, explained)
    conditions = (checked.facts.substitution or Substitution()).lines()
    yield tuple(line for text in (headline(checked, found), *conditions) for line in folded(text))
    yield from (tuple(rendered(problem)) for problem in found)
    if shown := tuple(line for note in notes(checked) for line in folded(note_line(note))):
        yield shown
    rest = tuple(_rest(checked))
    limited = (line for line in limits(checked) if not any(line in each for each in rest))
    texts = *limited, *rest, *_looked_at(checked), *_seeding(checked)
    prose = (line for text in texts for line in folded(text))
    yield *prose, *_resuming(checked)


def to_html(checked: Checked, explained: Explained | None = None) -> str:
    """Return a check for a notebook: the answer, then a table of all verdicts to unfold."""
    answer = "\n".join(lines(checked, explained))
    return fill_in("table.html.jinja", details, gist, checked=checked, answer=answer)


def headline(checked: Checked, found: tuple[Problem, ...]) -> str:
    """Return the answer in one line: the target, the number of problems, notes and checks.

    If the target fails by itself, that is the answer. A check that proved nothing fails with its
    reason in an error, which is not repeated here.
    """
    if found and found[0].fails:
        others = f"{count(len(found) - 1, 'more problem')}, " if found[1:] else ""
        how = _how(checked)
        fails = f"{checked.target}{' fails' if found[0].place else ''}{how}: {found[0].sentence}"
        return f"{fails} ({others}{judged(checked)})"
    code = checked.status
    answer = conclusion(checked)
    if code == FOUND:
        answer = and_notes(count(len(found), "problem"), checked)
    if code == FAILED and not answer.startswith(NOT_CHECKED):
        answer = answer.partition(":")[0]
    # An answer that is only true so far says itself how far.
    far = "" if code == OK and checked.cut else f" ({judged(checked)})"
    return f"{checked.target}: {answer}{far}{_how(checked)}"


def _how(checked: Checked) -> str:
    """Say how a training ran that lacks a device, or ranks."""
    words = (checked.facts.substitution or Substitution()).words
    return f", {words}" if words else ""


def _rest(checked: Checked) -> Iterator[str]:
    """Count the verdicts of each kind; name those not tested, with a reason to act on."""
    verdicts = checked.verdicts
    kinds: dict[str, set[str]] = {}
    for verdict in verdicts:
        kinds.setdefault(verdict.kind, set()).add(verdict.invariant)
    settled = set(chain.from_iterable(kinds.get(kind, ()) for kind in JUDGED))
    yield from _not_tested([v for v in verdicts if v.invariant not in settled])
    if beyond := kinds.get("not reached", set()):  # perhaps in one precision only
        yield f"not reached: {', '.join(_folded(beyond, {v.invariant for v in verdicts}))}"
    failed = kinds.get("violated", set()) | kinds.get("error", set())
    holding = kinds.get("holds", set()) - failed - beyond
    rounding = kinds.get("rounding", set()) - failed - holding
    expected = kinds.get("expected failure", set()) - failed
    idle = kinds.get("not applicable", set()) - settled
    parts = []
    if holding:
        parts.append(f"{count(len(holding), 'check')} {_verb(holding, 'holds', 'hold')}.")
    if rounding:
        verb = _verb(rounding, "differs", "differ")
        parts.append(f"{count(len(rounding), 'check')} {verb} only by rounding: nothing to do.")
    if expected:
        parts.append(f"{len(expected)} {_verb(expected, 'fails', 'fail')} as expected.")
    if late := kinds.get("not finished", set()):
        parts.append(f"{count(len(late), 'check')} did not finish.")
    unjudged = {v.invariant for v in verdicts if v.message == LOSS_NOT_FINITE} & idle
    if unjudged:
        verb = _verb(unjudged, "was", "were")
        parts.append(f"{len(unjudged)} {verb} not judged, since {LOSS_NOT_FINITE}.")
    if idle := idle - unjudged:
        whole = _families(idle) - _families({v.invariant for v in verdicts} - idle)
        these = f" ({', '.join(f'all of {family}/*' for family in sorted(whole))})" if whole else ""
        parts.append(f"{len(idle)} {_verb(idle, 'does', 'do')} not apply{these}{_each(checked)}")
    if parts:
        yield " ".join(parts)


def _each(checked: Checked) -> str:
    """Name the option that prints all verdicts, of targets that a command line finds."""
    return ": --verbose" if all(has_name(checked.target, v) for v in checked.verdicts) else ""


def _not_tested(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Name the invariants that nothing could violate; a note says the same of its line."""
    vacuous = [v for v in verdicts if v.kind == "vacuous" and not (v.stale or v.notes)]
    reasons = {v.invariant: v.message for v in vacuous}
    for reason in dict.fromkeys(reasons.values()):
        names = ", ".join(name for name, own in reasons.items() if own == reason)
        yield f"not tested: {names}: {reason}"


def _looked_at(checked: Checked) -> Iterator[str]:
    """Yield what a check of a sound training has seen at work, and what to do next."""
    covered = checked.facts.covered
    if checked.status != OK or not covered.steps:
        return
    seen_laws = [*dict.fromkeys(v.invariant for v in checked.verdicts if v.kind in JUDGED)]
    others = [*dict.fromkeys(v.invariant for v in checked.verdicts)]
    seen = [count(covered.steps, "step")]
    seen += [count(covered.updates, "update")] if covered.updates else []
    seen += [count(covered.batches, "batch", "batches")] if covered.batches else []
    if covered.updates:
        without = count(covered.evaluations, "call", "calls")
        seen.append(f"{without} without gradients")
    yield f"looked at: {_topics(seen_laws)}; {', '.join(seen)}"
    if missing := [name for name in others if name not in seen_laws]:
        yield f"not: {_topics(missing)}"
    if not checked.facts.resume_option and words_of(checked.target) is not None:
        command = command_line("watch", checked.target)
        yield f"next: {command} shows its batches, modes and updates"


def _topics(names: Sequence[str]) -> str:
    """Return the last words of the names of invariants, the first few of them."""
    topics = [*dict.fromkeys(name.partition("/")[2] for name in reversed(names))]
    more = f" and {len(topics) - _TOPICS} more" if len(topics) > _TOPICS else ""
    return f"{', '.join(topics[:_TOPICS])}{more}"


def _seeding(checked: Checked) -> Iterator[str]:
    """Yield what all runs of a check share, and no others; then whose numbers have no seed."""
    facts = checked.facts
    yield from facts.held
    for line, number in facts.held_seeds.items():
        yield f"{line} seeds with another number in each run: in this check with {number}"
    yield from filter(None, [facts.rounded])
    if facts.without_seed:
        libraries = " and ".join(facts.without_seed)
        yield (
            f"no seed: {libraries} will draw other random numbers in each run of this script; "
            f"the check began from seed {checked.seed}"
        )


def _resuming(checked: Checked) -> Iterator[str]:
    """Yield how a script is resumed by a check, if it saves and was not resumed."""
    if option := checked.facts.resume_option:
        command = command_line("check", checked.target, resume_with=f"{option} ...")
        yield f"to check resuming: {command}"


def _folded(names: set[str], every: set[str]) -> list[str]:
    """Return names in order, with a pattern for several that are a whole family."""
    families = _families(names) - _families(every - names)
    whole = {f"{f}/*" for f in families if sum(n.startswith(f"{f}/") for n in names) > 1}
    return sorted(whole | {n for n in names if f"{n.partition('/')[0]}/*" not in whole})


def _families(names: set[str]) -> set[str]:
    """Return the families that invariants are of."""
    return {name.partition("/")[0] for name in names}


def _verb(names: set[str], one: str, several: str) -> str:
    return one if len(names) == 1 else several
