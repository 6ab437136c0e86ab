"""States that a script takes, saves and writes back."""

from __future__ import annotations

import pytest

from symmetry.training.events import Restored, Saved
from tests.torch.script.epochs.helpers import run


@pytest.mark.parametrize(
    ("take", "own"),
    [
        ("model.state_dict()", True),
        ("dict(model.state_dict())", True),
        ("{n: t.detach().cpu() for n, t in model.state_dict().items()}", True),
        ("{n: t.clone() for n, t in model.state_dict().items()}", False),
        ("__import__('copy').deepcopy(model.state_dict())", False),
    ],
)
def test_a_state_that_is_loaded_is_the_models_own_or_a_copy(folder, take, own):
    (event,) = run(folder, f"best = {take}\ntrain()\nmodel.load_state_dict(best)").of(Restored)
    assert (event.tensors, event.own) == (9, 9 * own)
    if own:
        assert (event.updates, event.loads, event.takes) == (2, 0, 1)


def test_loads_and_saves_are_seen_however_they_are_called(folder):
    text = (
        "train()\n"
        "model.load_state_dict(state_dict=model.state_dict(), strict=True)\n"
        "torch.save(obj=model.state_dict(), f='x.pt')\n"
        "with torch.no_grad():\n"
        "    model[0].weight.copy_(other=torch.zeros(8, 4))\n"
        "train()\n"
    )
    epochs = run(folder, text)
    assert not epochs.error
    assert [event.tensors for event in epochs.of(Restored)] == [9, 1]
    assert [event.model for event in epochs.of(Saved)] == [True]


@pytest.mark.parametrize(
    ("saved", "facts"),
    [
        ("model.state_dict()", (False, True, False)),
        ("{'epoch': 1, 'model': model.state_dict()}", (True, True, False)),
        ("{'step': 1, 'state': [model.state_dict(), optimizer.state_dict()]}", (True, True, True)),
        ("model", (False, True, False)),
        ("{'loss': 0.5}", (False, False, False)),
    ],
)
def test_what_is_saved(folder, saved, facts):
    (event,) = run(folder, f"train()\ntorch.save({saved}, 'x.pt')").of(Saved)
    assert (event.position, event.model, event.optimizer) == facts
    assert event.taken is None


@pytest.mark.parametrize(
    ("saved", "untrained"),
    [
        ("{n: t for n, t in kept.items() if 'weight' in n}", 3),
        ("kept | {'last': [*model.parameters()][-1]}", 0),
        ("{'weight': kept['0.weight']}", 0),
    ],
)
def test_tensors_that_training_began_with_are_counted(folder, saved, untrained):
    text = (
        "kept = {n: p.detach().clone() for n, p in model.named_parameters()}\n"
        f"torch.save(kept, 'x.pt')\ntrain()\ntorch.save({saved}, 'x.pt')\n"
    )
    first, last = run(folder, text).of(Saved)
    assert (first.untrained, last.untrained) == (0, untrained)
