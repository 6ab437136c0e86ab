"""What must not matter to a training: sound ones hold, broken ones are caught."""

from __future__ import annotations

import pytest

from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.conftest import slow
from tests.sound.trainings.settings import SETTINGS


def verdict_of(setting, training, wrong=False):
    target = FunctionTraining(training, lambda: SETTINGS[training](wrong=wrong))
    (verdict,) = check_target(target, only=f"training/{setting}").verdicts
    return verdict


@pytest.mark.parametrize("setting", [slow("eager") if s == "eager" else s for s in SETTINGS])
def test_it_does_not_matter_to_a_sound_training(setting):
    verdict = verdict_of(setting, setting)
    assert (verdict.kind, verdict.dtype) == ("holds", "float32"), verdict.message
    assert verdict.ratio <= 5


TURNED = [slow("eager") if s == "eager" else s for s in SETTINGS if s != "checkpoint"]


@pytest.mark.parametrize("setting", TURNED)
def test_it_is_seen_where_it_matters(setting):
    verdict = verdict_of(setting, setting, wrong=True)
    assert verdict.kind == "violated"
    assert verdict.ratio > 100
    assert "of a run from this start with" in verdict.message
    assert "the run as it is is" in verdict.message


@pytest.mark.parametrize("setting", [s for s in SETTINGS if s not in ("eager", "loops", "threads")])
def test_it_does_not_apply_where_there_is_nothing_to_turn(setting):
    verdict = verdict_of(setting, "threads")
    assert verdict.kind == "not applicable"
    assert verdict.message.startswith("it has no ")
