"""Verdicts in words: lines, and what all of them mean together.

Nothing is computed here: everything is read off the records, so that the terminal, the pytest face,
a notebook and the files say the same.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import get_args

from symmetry.base.errors import FAILED, FOUND
from symmetry.checker.verdict import JUDGED, Checked, Kind, Verdict, lacks_units, own_error
from symmetry.finding.coverage import Dead, Unequal
from symmetry.law.note import Note
from symmetry.law.statements import REPEATABLE
from symmetry.report.units import without_units
from symmetry.units.words import count, in_short

KINDS: tuple[Kind, ...] = get_args(Kind)  # the worst first
NOT_CHECKED = "could not be checked"
_NAME = 20  # letters of a name in a column; a few are longer
_KIND = max(map(len, KINDS))


def line(verdict: Verdict) -> str:
    """Return a verdict in one line."""
    return f"{verdict.invariant:{_NAME}}  {verdict.dtype}  {verdict.kind:{_KIND}}  {gist(verdict)}"


def gist(verdict: Verdict) -> str:
    """Return the meaning of a verdict in a few words, without its invariant."""
    counted = f"{count(verdict.cases, 'run')} compared"
    if verdict.about.two_layer:
        counted = (
            f"{verdict.counted:,} of {count(verdict.cases, 'case')} could have failed; none did"
        )
    if verdict.stale:
        tested = f"{counted}: drop the expectation"
        found = f"it was not tested: {verdict.message}" if verdict.kind == "vacuous" else tested
        return f"was expected to fail ({verdict.reason}), but {found}"
    if verdict.kind == "holds":
        return counted + (f"; largest deviation: {deviation(verdict)}" if verdict.margin else "")
    before = {
        "vacuous": "not tested: ",
        "expected failure": f"{verdict.reason}: ",
        "rounding": "only by rounding: ",
    }
    return before.get(verdict.kind, "") + verdict.message


def deviation(verdict: Verdict) -> str:
    """Say how far a verdict that holds was from a violation."""
    if verdict.ratio is not None:
        return ratio_in_words(verdict)
    if verdict.about.compared == "exact":
        return "no bit differs"
    if not verdict.margin:
        return "no deviation"
    return f"{math.ceil(verdict.margin * 1000) / 10:g} % of the limit"  # never understated


def ratio_in_words(verdict: Verdict) -> str:
    """Return a ratio, and the limit of it."""
    return f"{verdict.ratio:.2g} responses, limit {verdict.threshold:g}"


def summary(verdicts: Sequence[Verdict]) -> str:
    """Count the verdicts by kind: ``2 violated, 18 hold``."""
    numbers = Counter(verdict.kind for verdict in verdicts)
    several = {"holds": "hold"}
    found = ((numbers[kind], kind) for kind in KINDS if numbers[kind])
    return ", ".join(f"{n} {several.get(kind, kind) if n > 1 else kind}" for n, kind in found)


def conclusion(checked: Checked) -> str:
    """Return what all verdicts mean together, in a few words."""
    late = _late(checked.verdicts)
    if checked.status == FAILED and (why := own_error(checked.verdicts)):
        return f"{NOT_CHECKED}: {why}"
    if checked.status == FOUND:
        fails = any(verdict.kind == "error" for verdict in checked.verdicts)
        return "; ".join(filter(None, (_gating(checked), "" if fails else late)))
    if late:
        return f"{late}, and nothing is violated so far"
    if checked.unmet:
        return f"a requirement is not met: {'; '.join(checked.unmet)}"
    return _nothing_proved(checked) if checked.status == FAILED else _sound(checked)


def _nothing_proved(checked: Checked) -> str:
    """Say why no invariant was judged, or that no equal units were checked."""
    unproved = [v for v in checked.verdicts if v.unproved]
    if lacks_units(checked.verdicts):
        skips = " ".join(f"--skip {name}" for name in _names(unproved))
        reason = unproved[0].message.removeprefix("no equal units were found: ")
        reason = reason.removeprefix("units were not searched, because ")
        texts = (layer.text for layer in dead_layers(checked))
        reason = next(chain(texts, without_units(unequal_layers(checked))), reason)
        return f"no equal units were checked: {reason}; {skips} lets it pass"
    late = [verdict for verdict in checked.verdicts if verdict.kind == "not reached"]
    why = dict.fromkeys(v.message.partition(" (")[0] for v in late or checked.verdicts)
    return f"nothing was checked: {'; '.join(why)}"


def _sound(checked: Checked) -> str:
    """Say that nothing is violated, how far that was checked, and which layers were not."""
    verdicts = checked.verdicts
    unasked = "not applicable", "not reached"
    asked = [v for v in verdicts if v.about.exchanges == "units" and v.kind not in unasked]
    expected = len(_names(v for v in verdicts if v.kind == "expected failure"))
    sound = "sound but for " + count(expected, "expected failure") if expected else "sound"
    exceptions = []
    if layers := unequal_layers(checked):
        exceptions.append(f"{count(len(layers), 'layer')} without equal units")
    if dead := dead_layers(checked):
        exceptions.append(f"{count(len(dead), 'layer')} whose units are all 0")
    if asked and not any(v.counted or v.kind == "expected failure" for v in asked):
        sound = "sound, but no equal units were checked"
    elif exceptions:
        sound += f", {'and' if expected else 'but'} for {' and '.join(exceptions)}"
    if checked.cut:
        return f"{and_notes(f'{sound} so far', checked)}: {judged(checked)}"
    return and_notes(sound, checked)


def and_notes(text: str, checked: Checked) -> str:
    """Return an outcome in words, and behind it the number of notes that do not gate."""
    number = len([*notes(checked)])
    return f"{text}{';' if ',' in text else ','} {count(number, 'note')}" if number else text


def _late(verdicts: Sequence[Verdict]) -> str:
    """Say which limit came first, and how many verdicts there are; empty if none did."""
    late = [verdict for verdict in verdicts if verdict.kind == "not finished"]
    if not late:
        return ""
    there = f"{len(verdicts) - len(late)} of {count(len(verdicts), 'verdict')}"
    return f"{late[0].message}: {there} are there"


def unequal_layers(checked: Checked) -> Sequence[Unequal]:
    """Return the layers that the check of a training says nothing of: their units are not equal."""
    return checked.coverage.without_units if checked.coverage is not None else ()


def dead_layers(checked: Checked) -> Sequence[Dead]:
    """Return the layers of a training whose units are all 0."""
    return checked.coverage.dead if checked.coverage is not None else ()


def idle_modules(checked: Checked) -> Sequence[str]:
    """Return the modules of a training that no gradient reaches."""
    return checked.coverage.without_gradient if checked.coverage is not None else ()


def notes(checked: Checked) -> Iterator[Note]:
    """Yield the notes that do not gate: the others are problems."""
    return (note for note in checked.notes if note not in checked.gating)


def note_line(note: Note) -> str:
    """Return a note in one line: its name, the line of the user's code, and the fact."""
    where = f"{note.file}:{note.line}: " if note.file else ""
    return f"note: {note.name}: {where}{note.text}"


def remarks(checked: Checked) -> tuple[str, ...]:
    """Return notes, warnings of the target and conditions of the check, in lines."""
    notes = map(note_line, checked.notes)
    drawn = checked.sizes.lines() if checked.sizes is not None else ()
    how = _substitution(checked)
    rest = *_warnings(checked), *checked.remarks, *_limits(checked)
    return *notes, *how, *_part(checked), *drawn, *rest


def _substitution(checked: Checked) -> tuple[str, ...]:
    found = checked.facts.substitution
    return (*filter(None, [found.words]), *found.lines()) if found is not None else ()


def limits(checked: Checked) -> tuple[str, ...]:
    """Return warnings of the target, and what a check does not cover, in lines."""
    drawn = checked.sizes.lines() if checked.sizes is not None else ()
    return *_part(checked), *drawn, *_warnings(checked), *_limits(checked)


def _part(checked: Checked) -> tuple[str, ...]:
    return (checked.facts.part,) if checked.facts.part else ()


def _warnings(checked: Checked) -> tuple[str, ...]:
    return tuple(f"warning: {text}" for text in checked.facts.warnings)


def _limits(checked: Checked) -> tuple[str, ...]:
    dead = dead_layers(checked)
    told = {module for layer in dead for module in layer.silent}
    idle = [module for module in idle_modules(checked) if module not in told]
    silent = (f"no gradient reaches {in_short(idle)} in the first two steps",) if idle else ()
    return *(layer.text for layer in dead), *silent, *without_units(unequal_layers(checked))


def last_line(checked: Checked) -> str:
    """Return the line that ends what is printed: what it means, and how many verdicts there are."""
    return f"{conclusion(checked)} ({summary(checked.verdicts)})"


def judged(checked: Checked) -> str:
    """Return how many invariants were judged: in one precision, or in both.

    A check that ended early says of how many that is, so far as it is known which apply.
    """
    found = {v.invariant for v in checked.verdicts if v.kind in JUDGED}
    if not checked.cut:
        return count(len(found), "check")
    beyond = {v.invariant for v in checked.verdicts if v.kind == "not reached"}
    return f"{len(found - beyond)} of {count(len(found | beyond), 'check')} {checked.cut}"


def _gating(checked: Checked) -> str:
    """Say how many invariants failed, and where to look first."""
    verdicts = checked.verdicts
    violated = _names(v for v in verdicts if v.kind == "violated")
    texts = []
    if error := next((verdict for verdict in verdicts if verdict.kind == "error"), None):
        fails = f"the training fails: {error.message}"
        look = f"the target does not work: look at {error.invariant}"
        texts.append(look if error.about.two_layer else fails)
    if violated:
        first = REPEATABLE.name if REPEATABLE.name in violated else violated[0]
        look = first + (" first" if len(violated) > 1 else "")
        texts.append(f"{count(len(violated), 'invariant')} violated: look at {look}")
    if checked.gating:
        names = ", ".join(dict.fromkeys(note.name for note in checked.gating))
        texts.append(f"{count(len(checked.gating), 'note')} that must not be there: {names}")
    if stale := _names(v for v in verdicts if v.stale):
        texts.append(f"expected to fail, but not failing: {', '.join(stale)}")
    return "; ".join(texts)


def _names(verdicts: Iterable[Verdict]) -> list[str]:
    """Return the invariants of the verdicts, each once."""
    return list(dict.fromkeys(verdict.invariant for verdict in verdicts))
