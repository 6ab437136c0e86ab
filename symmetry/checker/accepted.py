"""Files of accepted failures: known problems of targets, each with a reason, for a gate in CI.

A file has one line of JSON for each, sorted, so that a change is easy to review:

    {"target": "train.py", "invariant": "loop/modes", "found": "model.eval()", "reason": "wanted"}

"found" is the text of the guilty line, or, if no line is known, the message with # for each number.
So lines that move in a file change nothing, and another bug of the same invariant is no accepted
failure. An entry without "found", as of an earlier version, accepts any failure. One with "until",
a date such as "2027-01-31", accepts nothing after that day.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symmetry.base.errors import SymmetryError
from symmetry.base.names import words_of
from symmetry.base.notebooks import text_lines
from symmetry.checker.renamed import current

if TYPE_CHECKING:  # the waiting process of `check` reads files of accepted failures, too
    from symmetry.checker.verdict import Verdict

_NEW = "not yet explained"  # the reason until somebody reviews the failure
_SOUND = ("holds", "vacuous", "not applicable")
_NUMBER = re.compile(r"\d+(?:[,.]\d+)*(?:e[+-]?\d+)?")


@dataclass(frozen=True, order=True)
class Accepted:
    """A failure that is accepted."""

    target: str  # the target's name as it is typed
    invariant: str  # the name of the invariant that is violated
    found: str  # what ``found_of`` returns for the violation; empty accepts any
    reason: str  # why it is accepted
    until: str = ""  # the last day on which it is accepted; empty for all days

    @property
    def name(self) -> tuple[str, str]:
        """The target and the invariant: there may be several failures of them."""
        return self.target, self.invariant

    @property
    def is_over(self) -> bool:
        """Whether its last day has passed."""
        return bool(self.until) and date.today() > date.fromisoformat(self.until)


def found_of(verdict: Verdict, file: str | None, line: int | None) -> str:
    """Return what tells a violation from another one of its invariant, at this line if it is known.

    The array that deviates most may be another one on another machine, the units are the same.
    """
    lines = text_lines(file) if file and line else []  # it may have been edited since
    source = lines[line - 1] if line and line <= len(lines) else ""
    return " ".join(source.split()) or _NUMBER.sub("#", verdict.group or verdict.message)


def read_accepted(file: Path) -> tuple[Accepted, ...]:
    """Read the accepted failures of a file.

    Raises
    ------
    SymmetryError
        If it cannot be read, or a line is not an accepted failure, or repeats one.
    """
    try:
        texts = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        hint = "" if file.exists() else " (--update-baseline writes it)"
        why = getattr(error, "strerror", None) or error
        raise SymmetryError(f"the baseline {file} cannot be read: {why}{hint}") from None
    every: dict[tuple[str, ...], Accepted] = {}
    for number, text in enumerate(texts, 1):
        if not text.strip():
            continue
        accepted = _parse(text, f"{file}, line {number}")
        key = *accepted.name, accepted.found
        if key in every:
            raise SymmetryError(f"{file}, line {number}: it repeats {' '.join(key).strip()}")
        every[key] = accepted
    return tuple(every.values())


def _parse(text: str, where: str) -> Accepted:
    names = [field.name for field in fields(Accepted)]
    needed = [name for name in names if name not in ("found", "until")]
    try:
        record = json.loads(text)
    except ValueError:
        record = None
    if not isinstance(record, dict) or not {*needed} <= {*record} <= {*names}:
        raise SymmetryError(f"{where}: expected a line of JSON with {', '.join(needed)}")
    for name, value in record.items():
        if not isinstance(value, str) or not value.strip():
            raise SymmetryError(f"{where}: {name} must be a text, not {value!r}")
    try:
        date.fromisoformat(record.get("until", "2000-01-01"))
    except ValueError:
        hint = "a date such as 2027-01-31"
        raise SymmetryError(f"{where}: until must be {hint}, not {record['until']!r}") from None
    return Accepted(**{"found": "", **record, "invariant": current(record["invariant"])})


def to_text(accepted: Iterable[Accepted]) -> str:
    """Return the text of a file."""
    records = ({k: v for k, v in asdict(each).items() if v} for each in sorted(accepted))
    return "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records)


def reasons_for(
    accepted: Iterable[Accepted], target: str, expected: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Return the accepted failures of one target: by invariant, and by ``found``, the reason.

    An expected failure of an option accepts any of its invariant.
    """
    reasons: dict[str, dict[str, str]] = {}
    for each in accepted:
        if each.target == target and not each.is_over:
            reasons.setdefault(each.invariant, {})[each.found] = each.reason
    return reasons | {name: {"": reason} for name, reason in expected.items()}


def updated(
    accepted: Iterable[Accepted], records: Iterable[Mapping[str, Any]]
) -> tuple[Accepted, ...]:
    """Return the accepted failures after checks, whose records are those of their JSON.

    Failures that are not there yet are added, those that are no more are removed, and so are
    failures of files that do not exist. An entry that accepts any failure of an invariant is
    narrowed to those that there are. Invariants and targets that were not checked stay as they are.
    """
    every = [each for each in accepted if not _is_gone(each)]
    for record in records:
        for invariant, results in _by_invariant(record["results"]).items():
            name = record["trainer"], invariant
            known = {each.found: each.reason for each in every if each.name == name}
            failed = _failed(results, known)
            if failed or all(each["verdict"] in _SOUND for each in results):
                until = {each.found: each.until for each in every if each.name == name}
                every = [each for each in every if each.name != name]
                last = until.get("", "")  # of any failure, which is narrowed
                every += [Accepted(*name, f, r, until.get(f, last)) for f, r in failed.items()]
    return tuple(every)


def _failed(results: Iterable[Mapping[str, Any]], known: Mapping[str, str]) -> dict[str, str]:
    """Return the failures of one invariant that are accepted from now on: what is found, and why.

    A failure by rounding alone says nothing of what is known.
    """
    failed: dict[str, str] = {}
    for result in results:
        found, message = result.get("found") or "", result["message"]
        reason = known.get(found) or known.get("")
        if result["verdict"] == "violated":
            found = found or _NUMBER.sub("#", message)
            failed[found] = reason or f"{_NEW}: {message}"
        elif result["verdict"] == "expected failure" and not found:
            failed |= known
        elif result["verdict"] == "expected failure" and reason:  # else an option expects it
            failed[found] = reason
    return failed


def others(
    accepted: Iterable[Accepted], records: Iterable[Mapping[str, Any]]
) -> tuple[Accepted, ...]:
    """Return the accepted failures whose invariant fails, but not as it was accepted."""
    violated = {
        (record["trainer"], result["name"])
        for record in records
        for result in record["results"]
        if result["verdict"] == "violated"
    }
    return tuple(each for each in accepted if each.name in violated)


def _by_invariant(results: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for result in results:
        groups.setdefault(result["name"], []).append(result)
    return groups


def obsolete(accepted: Iterable[Accepted]) -> tuple[Accepted, ...]:
    """Return the accepted failures of files that do not exist."""
    return tuple(filter(_is_gone, accepted))


def _is_gone(accepted: Accepted) -> bool:
    words = words_of(accepted.target)
    file = words[0] if words else accepted.target.partition(":")[0]
    return file.endswith(".py") and not Path(file).is_file()
