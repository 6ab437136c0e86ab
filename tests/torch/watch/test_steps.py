"""The updates of optimisers, before and after each."""

from __future__ import annotations


def _models():
    import torch

    model = torch.nn.Linear(1, 1)
    model(torch.ones(1, 1)).sum().backward()
    return [torch.optim.SGD(model.parameters(), 0.1) for _ in range(2)]


class _Own:
    """An optimiser that is none of PyTorch's kind."""

    def step(self):
        return "stepped"


def test_all_optimisers_of_pytorchs_kind_are_shown():
    from symmetry.torch.watch.steps import updates

    one, other = _models()
    seen = []
    with updates(lambda o: seen.append(("before", o)), lambda o: seen.append(("after", o))):
        one.step()
        other.step()
    one.step()
    assert seen == [("before", one), ("after", one), ("before", other), ("after", other)]


def test_some_optimisers_are_shown_with_the_users_own_classes():
    from symmetry.torch.watch.steps import updates_of

    (one, other), own = _models(), _Own()
    before, after = [], []
    with updates_of([one, own], before.append, after.append):
        one.step()
        other.step()
        assert own.step() == "stepped"
    own.step()
    assert before == after == [one, own]
