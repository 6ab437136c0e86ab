"""The loss functions that a step calls: all ways to call them, and other arguments in place."""

from __future__ import annotations

import inspect

from tests.conftest import needs


def watched(see=lambda call: None):
    from symmetry.torch.probes.losses import Losses

    seen = []

    def noting(call):
        seen.append(call)
        return see(call)

    return Losses(noting), seen


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
