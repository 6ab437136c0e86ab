"""The checker against JAX trainings: each fault is caught, no sound training is accused."""

from __future__ import annotations

import pytest

from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.conftest import needs
from tests.jax import faulty, sound

pytestmark = needs("jax")


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(entry, id=name, marks=[needs(entry.library)] * (entry.library != "jax"))
        for name, entry in sound.ENTRIES.items()
    ],
)
def test_a_sound_training_is_not_accused_and_all_its_groups_are_found(entry):
    checked = check_target(FunctionTraining("training", entry.make))
    assert [verdict for verdict in checked.verdicts if verdict.gates] == []
    assert checked.coverage is not None
    assert len(checked.coverage.groups) == entry.groups


@pytest.mark.parametrize("entry", faulty.ENTRIES.values(), ids=faulty.ENTRIES)
def test_a_fault_is_caught_by_what_is_meant_to_catch_it(entry):
    checked = check_target(FunctionTraining("training", entry.make), only=entry.caught_by)
    caught = {verdict.invariant for verdict in checked.verdicts if verdict.gates}
    assert caught >= {*entry.caught_by}


def test_a_step_that_keeps_arrays_outside_of_its_state_is_told_so():
    import jax

    def training():
        params, step = sound.tanh_layer(lambda _: sound.batches()[0])
        kept = [params]

        def with_momentum(params, i):
            after, value = step(params, i)
            kept.append(jax.tree.map(lambda old, new: old + new, kept[-1], after))
            return kept[-1], value

        return params, with_momentum

    (verdict,) = check_target(FunctionTraining("training", training), only="*/repeatable").verdicts
    assert verdict.kind == "error"
    assert "keeps arrays outside of the state" in verdict.message
