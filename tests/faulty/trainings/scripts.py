"""Broken scripts, as people have them: each is a file in ``tests/faulty/scripts``."""

from __future__ import annotations

from pathlib import Path

from tests.faulty.trainings.fault import ENTRIES, Fault
from tests.sound.trainings.scripts import script

FOLDER = Path(__file__).parents[1] / "scripts"


def _enter(name: str, *caught_by: str, wrong: str, source: str = "") -> None:
    ENTRIES.append(Fault(script(FOLDER / f"{name}.py"), caught_by, wrong, source))


_enter(
    "head_replaced",
    "training/moves",
    wrong="the head is replaced after the optimiser was made",
)
_enter(
    "validation_raises",
    "training/runs",
    wrong="the validation raises behind the first epoch",
)
_enter(
    "last_sample_left_out",
    "symmetry/samples",
    wrong="the last sample of each of the loader's batches is left out",
)
_enter(
    "network_by_hand",
    "symmetry/permutation",
    "symmetry/clones",
    wrong="the update by hand leaves out the weights of the last hidden unit",
)
_enter(
    "running_mean_not_saved",
    "training/resume",
    wrong="losses are divided by running means, numbers that no state dictionary knows",
)
_enter(
    "decay_beside_the_optimizer",
    "training/zero-rate",
    wrong="the weights of one of two networks shrink by hand, whatever the rate",
)
_enter(
    "noise_unseeded",
    "symmetry/repeatable",
    wrong="noise is drawn by a generator that nobody seeds",
)
_enter(
    "functional_dropout",
    "model/evaluation",
    wrong="F.dropout2d is called without the mode",
)
_enter(
    "tagger_over_the_batch",
    "model/samples",
    wrong="a recurrent layer reads along the batch: batch_first is missing",
)
_enter(
    "softmax_in_the_model",
    "loss/inputs",
    wrong="the network ends with a softmax, before a loss with one inside",
)
_enter(
    "values_clipped_for_all_returns",
    "loss/pairs",
    wrong="a value loss of (n, 1) and (n,) takes the larger one of two errors",
)
_enter(
    "policy_of_probabilities",
    "loss/inputs",
    wrong="a distribution is given probabilities as logits",
)
_enter(
    "house_prices",
    "loss/pairs",
    wrong="outputs (n, 1) are compared with targets (n,)",
)
_enter(
    "characters_both_ways",
    "loss/next-token",
    wrong="a language model that reads both ways",
)
_enter(
    "labels_at_their_own_places",
    "loss/next-token",
    wrong="labels are not shifted",
)
_enter(
    "mean_of_numbers",
    "training/moves",
    wrong="the losses of a batch are copied into a new tensor",
)
_enter(
    "small_constant_weights",
    "symmetry/stuck",
    wrong="all weights start at 0.01",
)
_enter(
    "networks_take_turns",
    "training/frozen",
    wrong="AdamW moves the network whose turn it is not",
)
_enter(
    "residual_overwritten",
    "training/inplace",
    wrong="the shortcut adds what ReLU has overwritten",
)
_enter(
    "mean_of_each_micro_batch",
    "symmetry/micro-batches",
    "loss/weights",
    wrong="accumulated micro-batches are each divided by their own number of tokens",
    source="https://github.com/huggingface/transformers/pull/34191",
)
_enter(
    "mean_by_hand_of_each_micro_batch",
    "symmetry/micro-batches",
    wrong="the losses of each accumulated micro-batch are averaged by hand",
)
_enter(
    "divided_by_tokens_and_by_micro_batches",
    "loss/weights",
    wrong="sums are divided by all tokens of an update, and by its micro-batches once more",
    source="https://github.com/huggingface/transformers/issues/35203",
)
_enter(
    "answers_of_a_split_batch",
    "loss/weights",
    wrong="one loaded batch is split, and each piece is a mean over its own answers",
    source="https://github.com/volcengine/verl/pull/3332",
)
_enter(
    "words_hidden_by_the_mask",
    "training/padding",
    wrong="the mask of the keys hides the words, and shows the padding",
)
_enter(
    "tags_of_filled_rows",
    "loss/padding",
    wrong="tags of padding count in the loss, and only pad_sequence knows that it is padding",
)
_enter(
    "padding_in_the_labels",
    "loss/padding",
    wrong="the labels of a language model are its tokens, those of padding as well",
)
_NOTED = (
    "divergence_summed",
    "divergence_of_codes_drawn_by_the_loop",
    "two_tasks",
    "codes_under_one_norm",
    "divergence_averaged",
)
NOTED = tuple(script(FOLDER / f"{name}.py") for name in _NOTED)
