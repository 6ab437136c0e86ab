"""What laws about losses say: what is wrong, why that is certain, and the cure."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from symmetry.invariants.loss.next_token import next_token
from symmetry.invariants.loss.padding import padding
from symmetry.invariants.loss.pairs import pairs
from symmetry.invariants.loss.scaling import scaling
from tests.faulty.trainings import losses
from tests.invariants.loss.judging import kind, measured
from tests.sound.trainings import models
from tests.sound.trainings.padding import END, Reader, reading, speaking, texts


def message(law, make):
    return measured(law, make).violation.message


def test_pairs_name_the_shapes_and_the_cure():
    text = message(pairs, losses.targets_without_their_axis)
    assert "outputs of shape (12, 1) and data of shape (12,) makes (12, 12)" in text
    assert "[:, None]" in text


@pytest.mark.parametrize(
    ("make", "module", "cure"),
    [
        (losses.causal_mask_forgotten, "parts.0 (MultiheadAttention)", "a causal mask"),
        (losses.recurrent_in_both_directions, "parts.0 (GRU)", "in one direction"),
        (losses.convolution_sees_the_next_token, "parts.0 (Conv1d)", "on the left alone"),
    ],
)
def test_a_leak_names_the_first_module_that_mixes_tokens(make, module, cure):
    text = message(next_token, make)
    assert f"The first to mix them is {module}: " in text
    assert text.endswith(cure)


def test_labels_that_are_not_shifted_or_shifted_twice_are_told_apart():
    assert "the label of each position is its own input token" in message(
        next_token, losses.labels_not_shifted
    )
    assert "2 places later" in message(next_token, losses.labels_shifted_twice)


def first_labels_left_out():
    rnn = nn.GRU(6, 6, batch_first=True)
    model = losses.Language(lambda x: rnn(x)[0], rnn)

    def loss(scores, text):
        return functional.cross_entropy(scores[:, 2:].flatten(0, 1), text[:, 3:].flatten())

    return losses.speaking(model, loss, given=slice(None, -1))


def test_labels_of_later_rows_are_not_shifted_twice():
    """Padding on the left is left out of both: the labels begin at a later token."""
    assert measured(next_token, first_labels_left_out).violation is None


def reading_both_ways():
    from torch import nn

    rnn = nn.GRU(6, 5, batch_first=True, bidirectional=True)
    model = losses.Language(lambda x: rnn(x)[0], rnn, width=10)
    return losses.speaking(model, losses.same_tokens, given=slice(None))


def test_tokens_that_are_copied_by_what_reads_both_ways_are_noted():
    found = measured(next_token, reading_both_ways)
    assert kind(found) == "holds"
    (note,) = found.notes
    assert "nothing has to be predicted" in note.text


def test_padding_that_may_end_a_text_is_noted():
    found = measured(padding, lambda: speaking(functional.cross_entropy, ends=False))
    assert kind(found) == "holds"
    (note,) = found.notes
    assert note.text.startswith("6 of the 36 tokens are padding (padding_idx), and the loss")
    assert note.text.endswith("let only the first one count")


def ending(ignored, *, pad: int = END, ends: bool = True, hides: bool = True):
    """Return a language model; ``ignored(next tokens, which of them are texts)``."""

    def make():
        model = Reader(12, None)

        def of(i):
            ids, _, mask = texts(i, ends=ends, pad=pad)
            scores = model(ids[:, :-1], mask[:, :-1] if hides else None)
            labels = ids[:, 1:].masked_fill(ignored(ids[:, 1:], mask[:, 1:]), -100)
            return functional.cross_entropy(scores.flatten(0, 1), labels.flatten())

        return reading(model, of)

    return make


def by_number(number):
    return lambda labels, _: labels == number


@pytest.mark.parametrize(
    ("pad", "cause"), [(END, "texts are filled up with it as well"), (0, "Let the last token")]
)
def test_an_ending_that_no_label_names_is_noted(pad, cause):
    make = ending(lambda labels, mask: ~mask | (labels == END), pad=pad)
    found = measured(padding, make)
    assert kind(found) == "holds"
    (note,) = found.notes
    assert note.name == "loss/ending"
    assert note.text.startswith("each text ends with the token 2, and no loss has it for a label")
    assert cause in note.text


@pytest.mark.parametrize(
    "make",
    [
        ending(lambda _, mask: ~mask),
        ending(by_number(0), pad=0),
        ending(lambda _, mask: ~mask, ends=False),
        ending(by_number(END), hides=False),
    ],
    ids=["by the mask", "filled up with 0", "other endings", "no padding is known"],
)
def test_endings_that_are_learned_or_not_known_are_not_noted(make):
    found = measured(padding, make)
    assert found.violation is None
    assert found.notes == ()


def masked(places, *, ends: bool = True):
    """Return a language model whose losses are multiplied by these places of the mask."""

    def make():
        model = Reader(12, None)

        def of(i):
            ids, _, mask = texts(i, ends=ends)
            scores = model(ids, mask)[:, :-1]
            each = functional.cross_entropy(scores.mT, ids[:, 1:], reduction="none")
            return (each * mask[:, places]).sum() / mask[:, places].sum()

        return reading(model, of)

    return make


def test_a_mask_that_is_not_shifted_with_the_labels_is_noted():
    found = measured(padding, masked(slice(None, -1)))
    assert kind(found) == "holds"
    (note,) = found.notes
    assert note.text.startswith("the loss counts the first padding behind each text")
    assert "Take mask[:, 1:] for the labels tokens[:, 1:]" in note.text


@pytest.mark.parametrize("make", [masked(slice(1, None)), masked(slice(None, -1), ends=False)])
def test_a_mask_that_is_shifted_or_shows_one_mark_of_the_end_is_not_noted(make):
    assert measured(padding, make).notes == ()


def test_scaling_says_why_it_does_not_apply():
    found = measured(scaling, losses.targets_without_their_axis)
    assert kind(found) == "not applicable"
    assert "batch is not given" in found.note
    found = measured(scaling, lambda: losses.given(*_mean()))
    assert "sums nothing over all samples" in found.note


def _mean():
    model = models.MLP()
    return model, lambda x, y: functional.cross_entropy(model(x), y)


@pytest.mark.parametrize("leaks", [False, True])
def test_tokens_that_stand_for_images_are_not_moved(leaks):
    image, count = 9, 3

    def make():
        model = nn.ModuleDict({"words": nn.Embedding(10, 4), "head": nn.Linear(4, 10)})
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        class Reader(nn.Module):
            def forward(self, tokens):
                if not ((tokens == image).sum(1) == count).all():
                    raise ValueError("image tokens and features do not match")
                found = model["words"](tokens)
                seen = found.mean(1, keepdim=True) if leaks else found.cumsum(1)
                return model["head"](found + seen)

        reader = Reader()

        def step(batch):
            optimizer.zero_grad()
            scores = reader(batch["tokens"])[:, :-1].flatten(0, 1)
            functional.cross_entropy(scores, batch["labels"][:, 1:].flatten()).backward()
            optimizer.step()

        def batch(i):
            generator = torch.Generator().manual_seed(i)
            tokens = torch.randint(9, (2, 12), generator=generator)
            tokens[:, :count] = image
            return {"tokens": tokens, "labels": tokens.masked_fill(tokens == image, -100)}

        return model, step, {"batch": batch}

    assert kind(measured(next_token, make)) == ("violated" if leaks else "holds")
