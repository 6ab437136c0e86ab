"""Fixed tensors: what a step reads and no operation makes."""

from __future__ import annotations

from symmetry.training.target import FunctionTraining


def begun(mask, *, drawn=False, forward=False):
    """Begin a run whose update, or forward, reads a mask."""
    import torch

    def make():
        model = torch.nn.Linear(3, 2)
        kept = torch.tensor(mask)

        def step(i):
            noise = torch.rand(2) if drawn else kept
            y = model(torch.ones(4, 3))
            (y * noise if forward else y).sum().backward()
            with torch.no_grad():
                model.bias -= model.bias.grad * noise

        return model, step

    return FunctionTraining("masked", make).begin()


def test_what_an_update_alone_reads_is_told_with_its_line():
    (unread,) = begun([1.0, 0.5]).constants_outside_forward(2)
    assert unread.array.tolist() == [1, 0.5]
    assert unread.place.startswith("tests/torch/modes/test_constants.py:")
    assert str(unread) == f"a fixed tensor of shape (2,) (read at {unread.place})"
    assert not any([unread.random, unread.varies, unread.backward])


def test_what_a_forward_reads_is_known():
    assert begun([1.0, 0.5], forward=True).constants_outside_forward(2) == []


def test_what_is_drawn_is_another_one_in_each_step():
    first, second = begun([1.0, 0.5], drawn=True).constants_outside_forward(2)
    assert first.random
    assert first.varies
    assert (first.step, second.step) == (0, 1)


def test_a_averaged_tensor_is_read_as_the_same_for_all():
    moved = []
    for averaged in (False, True):
        run = begun([1.0, 0.5])
        (unread,) = begun([1.0, 0.5]).constants_outside_forward(1)
        run.average_constants({unread.number: (0,)} if averaged else {})
        before = run.state()["model.bias"]
        run.step()
        moved.append(before - run.state()["model.bias"])
    plain, level = moved
    assert plain[0] != plain[1]
    assert level[0] == level[1]
