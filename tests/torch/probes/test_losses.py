"""The loss functions that a step calls: all ways to call them, and other arguments in place."""

from __future__ import annotations

import inspect

from tests.conftest import needs


def logits():
    import torch

    return torch.arange(12.0).reshape(4, 3).sin().requires_grad_()


def labels():
    import torch

    return torch.tensor([0, 2, 1, 2])


def watched(see=lambda call: None):
    from symmetry.torch.probes.losses import Losses

    seen = []

    def noting(call):
        seen.append(call)
        return see(call)

    return Losses(noting), seen


def test_functions_and_modules_are_seen_with_their_line():
    import torch.nn.functional as F
    from torch import nn

    mode, seen = watched()
    with mode.seen():
        F.cross_entropy(logits(), labels(), ignore_index=2)
        line = inspect.currentframe().f_lineno - 1
        nn.MSELoss()(logits(), target=logits().detach())
        logits().softmax(1).sum()
    F.cross_entropy(logits(), labels())
    first, second = seen
    assert (first.number, first.function) == (0, "cross_entropy")
    assert (first.place.file, first.place.line) == (__file__, line)
    assert first.arguments["ignore_index"] == 2
    assert first.arguments["reduction"] == "mean"
    assert (second.number, second.function) == (1, "mse_loss")


def test_a_call_is_done_with_the_arguments_that_replace_its_own():
    import torch.nn.functional as F

    mode, _ = watched(lambda call: {"target": call.arguments["target"].roll(1, 0)})
    with mode.seen():
        found = F.cross_entropy(logits(), labels(), reduction="sum")
    assert found.equal(F.cross_entropy(logits(), labels().roll(1, 0), reduction="sum"))


@needs("transformers")
def test_losses_inside_of_a_library_s_model_are_seen_where_the_user_calls_it():
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(vocab_size=7, n_positions=8, n_embd=4, n_layer=1, n_head=1))
    tokens, (mode, seen) = torch.tensor([[1, 5, 2, 6]]), watched()
    with mode.seen():
        model(input_ids=tokens, labels=tokens)
        line = inspect.currentframe().f_lineno - 1
    (call,) = seen
    assert call.function == "cross_entropy"
    assert (call.place.file, call.place.line) == (__file__, line)


def test_losses_of_steps_in_float64_are_seen():
    from tests.torch.runs import run, training

    mode, seen = watched()
    taken = run(training(), dtype="float64")
    with mode.seen():
        taken.step()
        taken.step()
    assert [call.number for call in seen] == [0, 1]
    assert str(seen[0].arguments["input"].dtype) == "torch.float64"
