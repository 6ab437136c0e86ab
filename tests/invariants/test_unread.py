"""What may tell units apart without being a bug."""

from __future__ import annotations

import pytest

from symmetry.invariants.measurement import Measurement, Violation
from symmetry.invariants.unread import unless_initialised
from symmetry.trainings.start import TrainingStart
from symmetry.trainings.training import TrainingTarget
from tests.conftest import needs

pytestmark = needs("torch")


def start(sets):
    """Return the start of a training whose forward sets its shift in these steps."""

    def make():
        import torch

        model = torch.nn.ParameterDict({"weight": torch.ones(3), "shift": torch.zeros(3)})
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(i):
            x = torch.arange(6.0).reshape(2, 3) + i
            if i in sets:
                model["shift"].data.copy_(-x.mean(0))
            optimizer.zero_grad()
            ((x + model["shift"]) * model["weight"]).square().sum().backward()
            optimizer.step()

        return model, step

    return TrainingStart(TrainingTarget("training", make), "float32")


def violated(_):
    return Measurement.violated(Violation("unit 1 differs", 1, "model.weight"))


def test_no_violation_is_told_where_the_first_forward_sets_parameters():
    found = unless_initialised(violated)(start({0}))
    assert found.violation is None
    assert not found.counted
    assert found.note == "cannot judge: the first forward sets model.shift from its batch"


@pytest.mark.parametrize("sets", [set(), {0, 1}])
def test_a_violation_stays_where_no_forward_or_every_one_sets_them(sets):
    assert unless_initialised(violated)(start(sets)).violation is not None


def test_what_holds_is_not_looked_at_again():
    held = Measurement(counted=True)
    assert unless_initialised(lambda _: held)(start({0})) is held
