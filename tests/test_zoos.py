"""Each invariant has a fault that it catches, and something sound that nearly violates it.

Where a training cannot be an entry of a zoo, its own test has both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from symmetry.invariants.invariant import TrainingInvariant
from tests.catalogues import TRAININGS
from tests.faulty.trainings import FAULTS, NOTED
from tests.jax import faulty as jax_faulty
from tests.jax import sound as jax_sound
from tests.sound.trainings import NEARLY

TESTS = Path(__file__).parent
RESUMED = TESTS / "invariants" / "resume" / "scripts.py"
ON_RANKS = TESTS / "torch" / "script" / "ranks" / "test_ranks.py"
ELSEWHERE = {  # with the words for both
    "training/replicas": (TESTS / "test_ranks.py", "DRIFTING", "SOUND"),
    **{
        f"ranks/{name}": (ON_RANKS, "FAULTS", "SOUND")
        for name in ("world", "draws", "data", "weights", "schedule")
    },
    **{f"resume/{name}": (RESUMED, "FAULTS", "SOUND") for name in ("state", "batches")},
    "training/devices": (TESTS / "jax" / "test_devices.py", "violated", "holds"),
}


def marked(folder: str, mark: str) -> Iterator[str]:
    """Yield the laws that are named at the ends of lines of the zoo's loops."""
    for file in (TESTS / folder / "scripts" / "loop").glob("*.py"):
        yield from re.findall(rf"(?m)# {mark}(\w+/[\w-]+)$", file.read_text())


CAUGHT = {
    *(name for fault in FAULTS for name in fault.caught_by),
    *(name for fault in jax_faulty.ENTRIES.values() for name in fault.caught_by),
    *("loss/scaling" for _ in NOTED),  # it has a note about them
    *marked("faulty", ""),
}
PROVOKED = {
    *(entry.invariant for entry in NEARLY),
    *(entry.nearly for entry in jax_sound.ENTRIES.values()),
    *marked("sound", "nearly "),
}


@pytest.mark.parametrize("invariant", TRAININGS, ids=lambda invariant: invariant.name)
def test_it_has_a_fault_and_a_near_miss(invariant: TrainingInvariant) -> None:
    if invariant.name in ELSEWHERE:
        file, *words = ELSEWHERE[invariant.name]
        assert all(word in file.read_text() for word in (invariant.name, *words))
    else:
        assert invariant.name in CAUGHT, "no fault of tests/faulty is caught by it"
        assert invariant.name in PROVOKED, "nothing of tests/sound nearly violates it"


def test_the_zoos_name_invariants_that_there_are() -> None:
    names = {invariant.name for invariant in TRAININGS}
    assert CAUGHT | PROVOKED - {""} <= names
