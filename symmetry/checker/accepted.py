"""Files of accepted failures: known problems of targets, each with a reason, for a gate in CI.

A file has one line of JSON for each, sorted, so that a change is easy to review:

    {"target": "train.py", "invariant": "symmetry/clones", "reason": "the mask is wanted"}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from symmetry.base.errors import SymmetryError
from symmetry.base.names import words_of

_NEW = "not yet explained"  # the reason until somebody reviews the failure
_SOUND = ("holds", "vacuous", "not applicable")


@dataclass(frozen=True, order=True)
class Accepted:
    """A failure that is accepted: the target's name as it is typed, the invariant, and why."""

    target: str
    invariant: str
    reason: str


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
    every: dict[tuple[str, str], Accepted] = {}
    for number, text in enumerate(texts, 1):
        if not text.strip():
            continue
        accepted = _parse(text, f"{file}, line {number}")
        key = accepted.target, accepted.invariant
        if key in every:
            raise SymmetryError(f"{file}, line {number}: it repeats {' '.join(key)}")
        every[key] = accepted
    return tuple(every.values())


def _parse(text: str, where: str) -> Accepted:
    names = [field.name for field in fields(Accepted)]
    try:
        record = json.loads(text)
    except ValueError:
        record = None
    if not isinstance(record, dict) or {*record} != {*names}:
        raise SymmetryError(f"{where}: expected a line of JSON with {', '.join(names)}")
    for name, value in record.items():
        if not isinstance(value, str) or not value.strip():
            raise SymmetryError(f"{where}: {name} must be a text, not {value!r}")
    return Accepted(**record)


def to_text(accepted: Iterable[Accepted]) -> str:
    """Return the text of a file."""
    return "".join(f"{json.dumps(asdict(a), ensure_ascii=False)}\n" for a in sorted(accepted))


def reasons_for(accepted: Iterable[Accepted], target: str) -> dict[str, str]:
    """Return the accepted failures of one target: the reason by invariant."""
    return {each.invariant: each.reason for each in accepted if each.target == target}


def updated(
    accepted: Iterable[Accepted], records: Iterable[Mapping[str, Any]]
) -> tuple[Accepted, ...]:
    """Return the accepted failures after checks, whose records are those of their JSON.

    Failures that are not there yet are added, those that hold now are removed, and so are failures
    of files that do not exist. Invariants and targets that were not checked stay as they are.
    """
    every = {(a.target, a.invariant): a for a in accepted if not _is_gone(a)}
    for record in records:
        for invariant, results in _by_invariant(record["results"]).items():
            key = record["trainer"], invariant
            violated = [each["message"] for each in results if each["verdict"] == "violated"]
            if violated:
                every.setdefault(key, Accepted(*key, f"{_NEW}: {violated[0]}"))
            elif all(each["verdict"] in _SOUND for each in results):
                every.pop(key, None)
    return tuple(every.values())


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
