"""A function is suspended anywhere, and what PyTorch keeps for the thread goes with it."""

from __future__ import annotations

import pytest
import torch
from torch.overrides import TorchFunctionMode

from symmetry.torch.script.coroutine import Coroutine, leave_modes, modes


class Noted(TorchFunctionMode):
    """Writes down its name at each function."""

    def __init__(self, name, seen):
        super().__init__()
        self.name, self.seen = name, seen

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.seen.append(self.name)
        return func(*args, **(kwargs or {}))


def test_it_goes_on_where_it_was():
    done = []

    def function():
        for number in range(3):
            done.append(number)
            coroutine.suspend()

    coroutine = Coroutine(function)
    for number in range(3):
        coroutine.resume()
        assert done == [*range(number + 1)]
        assert not coroutine.ended
    coroutine.resume()
    assert coroutine.ended


def test_whether_gradients_are_recorded_is_its_own():
    seen = []

    def function():
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            coroutine.suspend()
            seen.append((torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")))

    coroutine = Coroutine(function)
    coroutine.resume()
    assert torch.is_grad_enabled()
    assert not torch.is_autocast_enabled("cpu")
    coroutine.resume()
    assert seen == [(False, True)]
    assert torch.is_grad_enabled()


def test_modes_of_whoever_resumes_it_come_before_its_own():
    seen = []

    def function():
        with Noted("own", seen):
            coroutine.suspend()
            torch.ones(1) + 1

    coroutine = Coroutine(function)
    coroutine.resume()
    assert modes() == []
    with Noted("outer", seen) as outer:
        coroutine.resume()
        assert modes() == [outer]
    assert seen[:2] == ["own", "outer"]  # the innermost sees it first


def test_all_modes_can_be_left():
    with Noted("one", []), Noted("other", []) as other:
        left = modes()
        leave_modes()
        assert modes() == []
        for mode in left:
            torch._C._push_on_torch_function_stack(mode)
        assert modes()[-1] is other


def test_what_it_raises_passes_through_and_errors_are_raised_in_it():
    def function():
        try:
            coroutine.suspend()
        except KeyError:
            raise ValueError("from inside") from None

    coroutine = Coroutine(function)
    coroutine.resume()
    with pytest.raises(ValueError, match="from inside"):
        coroutine.resume(KeyError)
    assert coroutine.ended


def test_its_frames_are_found_from_outside():
    def function():
        here = "a local variable"
        coroutine.suspend()
        return here

    coroutine = Coroutine(function)
    coroutine.resume()
    assert any(f.f_locals.get("here") == "a local variable" for f in coroutine.frames)
    coroutine.resume()


def test_an_error_from_c_that_is_caught_far_from_where_it_began():
    caught = []

    def function():
        while True:
            coroutine.suspend()
            try:
                torch.ones(2).add_(None, alpha=-1.0)
            except TypeError as error:
                caught.append(error)

    coroutine = Coroutine(function)

    def below(depth):
        if depth:
            next(map(below, (depth - 1,)))
        else:
            coroutine.resume()

    for depth in (20, 0, 40, 3):
        below(depth)
    assert len(caught) == 3


def test_weights_are_cast_anew_where_others_are_suspended_under_autocast():
    weight, seen = torch.nn.Parameter(torch.ones(1, 1)), []

    def function():
        for _ in range(2):
            with torch.autocast("cpu", torch.bfloat16):
                coroutine.suspend()
                seen.append(torch.nn.functional.linear(torch.ones(1, 1), weight).item())

    def waiting():
        with torch.autocast("cpu", torch.bfloat16):
            other.suspend()

    other, coroutine = Coroutine(waiting), Coroutine(function)
    for each in (other, coroutine, coroutine):
        each.resume()
    weight.data.fill_(2)
    coroutine.resume()
    assert seen == [1, 2]
    other.resume()
