"""The outermost calls of a model's modules: which are seen, and done with other arguments."""

from __future__ import annotations

import pytest


def network():
    import torch

    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))


def numbers(*shape):
    import torch

    return torch.arange(float(torch.tensor(shape).prod())).reshape(shape) / 10


def test_only_outermost_calls_are_seen_with_what_they_were_given_and_return():
    from symmetry.torch.watch.calls import ModuleCalls

    model, seen = network(), []
    x = numbers(5, 3)
    with ModuleCalls(model, after=lambda call, output: seen.append((call, output))).hooked():
        whole = model(x)
        part = model[0](input=x + 1)
    model(x)
    (first, a), (second, b) = seen
    assert (first.number, first.module, a) == (0, model, whole)
    assert (second.number, second.module, b) == (1, model[0], part)
    assert first.args[0].equal(x)
    assert second.kwargs["input"].equal(x + 1)


def test_arguments_are_those_before_the_forward_writes_into_them():
    import torch

    from symmetry.torch.watch.calls import ModuleCalls

    model, seen = torch.nn.Sequential(torch.nn.ReLU(inplace=True), torch.nn.Linear(3, 1)), []
    x = -numbers(2, 3)
    with ModuleCalls(model, after=lambda call, _: seen.append(call.args[0])).hooked():
        model(x)
    assert float(seen[0].min()) == pytest.approx(-0.5)
    assert float(x.min()) == 0


def test_a_call_is_done_with_the_arguments_that_replace_its_own():
    from symmetry.torch.watch.calls import ModuleCalls

    model, x = network(), numbers(5, 3)
    with ModuleCalls(model, before=lambda call: ((-call.args[0],), call.kwargs)).hooked():
        found = model(x)
    assert found.equal(model(-x))


def test_callbacks_do_not_see_their_own_calls():
    from symmetry.torch.watch.calls import ModuleCalls

    model, seen = network(), []

    def after(call, output):
        seen.append(call.number)
        assert call.module(*call.args).equal(output)

    with ModuleCalls(model, after=after).hooked():
        model(numbers(5, 3))
        model(numbers(5, 3))
    assert seen == [0, 1]


def test_what_a_backward_repeats_and_what_records_no_gradients_is_not_seen():
    import torch
    from torch.utils.checkpoint import checkpoint

    from symmetry.torch.watch.calls import ModuleCalls

    model, seen = network(), []
    x = numbers(5, 3).requires_grad_()
    with ModuleCalls(model, after=lambda call, _: seen.append(call.number)).hooked():
        with torch.no_grad():
            model(x)
        checkpoint(model, x, use_reentrant=False).sum().backward()
    assert seen == [0]


def test_a_forward_that_raises_does_not_hide_the_next_call():
    from symmetry.torch.watch.calls import ModuleCalls

    model, seen = network(), []
    with ModuleCalls(model, after=lambda call, _: seen.append(call.number)).hooked():
        with pytest.raises(RuntimeError):
            model(numbers(5, 7))
        model(numbers(5, 3))
    assert seen == [1]


def test_a_wrapper_stands_for_what_it_wraps():
    import torch

    from symmetry.torch.watch.calls import ModuleCalls

    model, seen = torch.nn.DataParallel(network()), []
    with ModuleCalls(model, after=lambda call, _: seen.append(call.module)).hooked():
        model(numbers(5, 3))
    assert seen == [model]


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_module_that_calls_itself_and_a_scripted_one_are_seen_once():
    import torch

    from symmetry.torch.watch.calls import ModuleCalls

    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch.jit.script(torch.nn.Linear(3, 3))

        def forward(self, x, again=True):
            return self(self.inner(x), again=False) if again else x

    model, seen = Twice(), []
    with ModuleCalls(model, after=lambda call, output: seen.append((call.number, output))).hooked():
        result = model(numbers(5, 3))
        model(numbers(5, 3))
    assert [number for number, _ in seen] == [0, 1]
    assert seen[0][1] is result


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")
def test_hooks_are_on_all_modules_but_scripted_ones_while_the_block_runs():
    import torch

    from symmetry.torch.watch.calls import hooked, running_modules

    model, seen, inner = network(), [], []
    model.append(torch.jit.script(torch.nn.Linear(2, 2)))
    model[1].register_forward_hook(lambda *_: inner.append([*running_modules()]))

    def enter(module, args, kwargs):
        seen.append(module)
        return ((args[0] + 1,), kwargs) if module is model else None

    x = numbers(5, 3)
    with hooked(model.modules(), enter, lambda module, *_: seen.append(module)):
        found = model(x)
    assert found.equal(model(x + 1))
    layers = [model[0], model[0], model[1], model[1], model[2], model[2]]
    assert seen == [model, *layers, model]
    assert inner[0] == [model[1], model]

    def _call_impl():
        return [*running_modules()]

    assert _call_impl() == []


def test_a_backward_calls_nothing_plainly():
    import torch
    from torch.utils.checkpoint import checkpoint

    from symmetry.torch.watch.calls import hooked, in_backward, in_forward, is_plain

    model, seen = network(), []
    with hooked([model], lambda *_: seen.append((in_backward(), is_plain(), in_forward()))):
        loss = checkpoint(model, numbers(5, 3), use_reentrant=False).sum()
        loss.backward()
        with torch.no_grad():
            model(numbers(5, 3))
    assert seen == [(False, True, True), (True, False, False), (False, True, False)]
