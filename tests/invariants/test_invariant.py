"""Each invariant of trainings lies in a file of its own; it needs capabilities of runs."""

from __future__ import annotations

from pkgutil import walk_packages
from sys import modules
from types import SimpleNamespace

import pytest

from symmetry import invariants
from symmetry.invariants.catalogue import FILES
from symmetry.invariants.invariant import TrainingInvariant
from symmetry.law.measurement import Measurement
from symmetry.training.capabilities.capability import Capability
from symmetry.training.capabilities.saving import Saving
from tests.catalogues import TRAININGS
from tests.house import file_of

FOLDER = f"{invariants.__name__}."


def declared() -> dict[str, tuple[TrainingInvariant, ...]]:
    """Return the invariants that a file declares: ``INVARIANT``, or several; by its name."""
    files = [file.name for file in walk_packages(invariants.__path__, FOLDER)]
    one = {name: vars(modules[name]).get("INVARIANT") for name in files}
    several = {name: vars(modules[name]).get("INVARIANTS", ()) for name in files}
    found = {name: several[name] or (one[name],) for name in files}
    return {name: each for name, each in found.items() if each != (None,)}


def test_every_file_that_declares_one_is_listed_once() -> None:
    assert sorted(f"{FOLDER}{file}" for file in FILES) == sorted(declared())


def test_a_file_is_named_by_its_invariant() -> None:
    alone = {name: each for name, each in declared().items() if len(each) == 1}
    assert declared().keys() - alone.keys() == {f"{FOLDER}training.settings"}
    assert {name: file_of(each.name) for name, (each,) in alone.items()} == {n: n for n in alone}


@pytest.mark.parametrize("need", [*dict.fromkeys(n for each in TRAININGS for n in each.needs)])
def test_what_is_needed_says_what_is_absent_without_it(need: type[Capability]) -> None:
    assert need.absent != Capability.absent


def test_it_is_not_applicable_without_what_it_needs() -> None:
    invariant = TrainingInvariant(
        name="training/saved",
        statement="a saved run is saved",
        reason="it is saved",
        witness="a run",
        needs=(Saving,),
        measure=lambda _: Measurement(counted=True),
    )
    without, there = (
        invariant.measured(SimpleNamespace(capabilities=frozenset(kinds)))
        for kinds in ((), (Saving,))
    )
    assert without == Measurement.not_applicable("its runs cannot be saved")
    assert there.counted
