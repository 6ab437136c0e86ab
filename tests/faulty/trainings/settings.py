"""Trainings to which a setting matters that must not."""

from __future__ import annotations

from typing import Any

from torch import nn

from tests.faulty.trainings.fault import fault
from tests.sound.trainings.settings import (
    attending,
    checkpointed,
    checkpointed_by_hand,
    compiled,
    convolved,
    in_loops,
    scaled,
    threaded,
)


@fault("training/eager", wrong="what is compiled is rounded to 16 bits")
def compiled_in_16_bits() -> Any:
    return compiled(wrong=True)


@fault("training/eager", wrong="what is compiled is rounded to 16 bits, and drops out")
def compiled_in_16_bits_with_dropout() -> Any:
    return compiled(True, nn.Dropout(0.3))


@fault("training/loops", wrong="the update of all at once leaves out the last parameter")
def together_without_the_last() -> Any:
    return in_loops(wrong=True)


@fault("training/scale", wrong="gradients are clipped before they are divided by the scale")
def clipped_before_unscaling() -> Any:
    return scaled(wrong=True)


@fault("training/attention", wrong="the fused attention is scaled by the wrong dimension")
def fused_attention_scaled_wrongly() -> Any:
    return attending(wrong=True)


@fault("training/checkpoint", wrong="a function that is computed again drops out anew")
def dropped_out_again() -> Any:
    return checkpointed(wrong=True)


@fault("training/checkpoint", wrong="a checkpoint of one's own does not keep the random state")
def kept_without_its_random_state() -> Any:
    return checkpointed_by_hand(wrong=True)


@fault("training/kernels", wrong="one kernel of the convolution rounds to 16 bits")
def convolved_in_16_bits() -> Any:
    return convolved(wrong=True)


@fault("training/threads", wrong="with two threads a parameter is updated once more")
def updated_by_each_thread() -> Any:
    return threaded(wrong=True)
