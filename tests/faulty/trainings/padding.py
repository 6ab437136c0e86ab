"""Trainings whose losses count the outputs at padding."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from tests.faulty.trainings.fault import fault
from tests.sound.trainings.padding import speaking, tagging


@fault("loss/padding", wrong="tags of padding count")
def tags_of_padding_count() -> Any:
    return tagging(lambda out, tags, _: F.cross_entropy(out.flatten(0, 1), tags.flatten()))


@fault("loss/padding", wrong="the loss ignores another label than that of padding")
def another_label_is_ignored() -> Any:
    return tagging(lambda out, tags, _: F.cross_entropy(out.mT, tags, ignore_index=-1))


@fault("loss/padding", wrong="losses of all tokens are divided by the number of those in texts")
def losses_are_summed_over_padding() -> Any:
    def loss(out: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        each = F.cross_entropy(out.mT, tags, reduction="none")
        return each.sum() / mask.sum()

    return tagging(loss)


@fault("loss/padding", wrong="a language model learns to write padding behind the end of a text")
def padding_behind_the_end_is_learned() -> Any:
    return speaking(F.cross_entropy, ends=True)


@fault("loss/padding", wrong="the mask hides padding from the model, but not from the loss")
def mask_is_left_out_of_the_loss() -> Any:
    return speaking(F.cross_entropy, ends=False, masked=True)
