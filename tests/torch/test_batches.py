"""The batches that steps are given, and how many samples they have."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from symmetry.torch.batches import (
    NO_MASK,
    tokens_of,
    why_none_hidden,
    with_others_hidden,
)
from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.torch.runs import run, training


def padded(*, masked=True, left=False, by_token=False, labels=None):
    """The verdict on ``training/padding`` of a model that is asked to pool what its mask leaves."""

    def make():
        model = nn.Sequential(nn.Embedding(9, 4), nn.Tanh(), nn.Linear(4, 3))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(batch):
            optimizer.zero_grad()
            ids, mask = batch["input_ids"], batch["attention_mask"].float()
            if by_token:
                mask = (ids != 0).float()
            if not masked:
                mask = torch.ones_like(mask)
            out = (model(ids) * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            nn.functional.cross_entropy(out, batch["target"]).backward()
            optimizer.step()

        def batch(i):
            lengths = torch.tensor([5, 3, 4, 2])
            mask = (torch.arange(5) < lengths[:, None]).long()
            mask = mask.flip(1) if left else mask
            ids = (torch.arange(20 + i)[i:].reshape(4, 5) % 8 + 1) * mask
            given = {"input_ids": ids, "attention_mask": mask, "target": lengths % 3}
            return given if labels is None else {**given, "labels": torch.full((4, 5), labels)}

        return model, step, {"batch": batch}

    found = check_target(FunctionTraining("mine", make), only="training/padding", dtype="float32")
    return found.verdicts[0]


def test_what_a_mask_hides_changes_nothing():
    assert padded().kind == "holds"
    assert padded(left=True, labels=-100).kind == "holds"


def test_what_reads_hidden_tokens_is_violated_and_says_on_which_side_they_are():
    verdict = padded(masked=False)
    assert verdict.kind == "violated"
    assert verdict.message.startswith("after step 1 of a run from other hidden tokens, model.")
    hint = "; tokens are hidden on the left, where a first position is pooled and a state begins"
    assert padded(masked=False, left=True).message.endswith(hint)
    assert not verdict.message.endswith(hint)


def test_a_model_that_finds_padding_by_its_token_cannot_be_judged():
    verdict = padded(by_token=True)
    text = "cannot judge: tokens are compared with a number (tests/torch/test_batches.py:"
    assert (verdict.kind, verdict.message[: len(text)]) == ("vacuous", text)


def test_labels_at_hidden_tokens_make_it_not_applicable():
    verdict = padded(labels=2)
    assert (verdict.kind, verdict.message) == (
        "not applicable",
        "its labels at hidden tokens are not -100",
    )
    verdict = padded_without_a_mask()
    assert verdict.kind == "not applicable"
    assert "attention_mask" in verdict.message


def padded_without_a_mask():
    def make():
        model = nn.Linear(3, 2)

        def step(batch):
            loss = model(batch).square().mean()
            loss.backward()

        return model, step, {"batch": lambda i: torch.ones(4, 3)}

    found = check_target(FunctionTraining("mine", make), only="training/padding", dtype="float32")
    return found.verdicts[0]


def batch(mask, **others):
    """Return a batch of two rows of five tokens, 1 to 10."""
    return {
        "attention_mask": torch.tensor(mask),
        "input_ids": torch.arange(1, 11).reshape(2, 5),
        **others,
    }


MASK = [[1, 1, 1, 1, 0], [1, 1, 1, 0, 0]]


def test_visible_tokens_of_the_inside_of_rows_are_put_where_others_are_hidden():
    given = batch(MASK, extra=3)
    changed = with_others_hidden(given)
    tokens, before = tokens_of(changed), tokens_of(given)
    hidden = torch.tensor(MASK) == 0
    assert torch.equal(tokens[~hidden], before[~hidden])
    assert bool((tokens != before)[hidden].all())
    assert {*tokens[hidden].tolist()} <= {2, 3, 7}  # not the first and the last of a row
    assert changed["extra"] == 3
    assert before[0, 4] == 5  # the batch itself stays


def test_tokens_that_stand_for_images_are_put_nowhere():
    image = 99
    given = batch([[1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 0]])
    given["input_ids"] = torch.tensor([[7, image, 1, 2, 3, 4], [7, image, 5, 6, 7, 8]])
    labels = given["input_ids"].masked_fill(given["attention_mask"] == 0, -100)
    for more in ({}, {"labels": labels}, {"labels": labels.masked_fill(labels == image, -100)}):
        tokens = tokens_of(with_others_hidden(given | more))
        assert {*tokens[:, -1].tolist()} <= {1, 2, 5, 6}


def test_a_model_that_refuses_other_hidden_tokens_is_not_judged():
    def make():
        model = nn.Embedding(9, 4)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(batch):
            optimizer.zero_grad()
            if int((batch["input_ids"] == 1).sum()) != 3:
                raise ValueError("3 ones, please")
            model(batch["input_ids"]).square().sum().backward()
            optimizer.step()

        tokens = torch.tensor([[2, 1, 1, 4, 0], [2, 1, 5, 6, 7]])
        return model, step, {"batch": lambda i: batch(MASK) | {"input_ids": tokens}}

    found = check_target(FunctionTraining("mine", make), only="training/padding", dtype="float32")
    [verdict] = found.verdicts
    assert verdict.kind == "vacuous"
    assert verdict.message.startswith("cannot judge: with other hidden tokens, step(0) raised")


def test_embeddings_are_replaced_as_tokens_are():
    given = batch(MASK)
    given["inputs_embeds"] = given.pop("input_ids")[..., None] * torch.ones(3)
    changed = tokens_of(with_others_hidden(given))
    assert not torch.equal(changed[0, 4], tokens_of(given)[0, 4])
    assert torch.equal(changed[0, :4], tokens_of(given)[0, :4])


def test_where_all_is_hidden_nothing_can_be_put():
    given = batch([[0] * 5, [0] * 5])
    assert with_others_hidden(given) is given


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"attention_mask": None}, "no module of it takes an attention_mask"),
        ({"inputs_embeds": True}, "no input_ids or inputs_embeds of the shape"),
        ({"input_ids": True}, "no input_ids or inputs_embeds of the shape"),
        ({"labels": True}, "its labels at hidden tokens are not -100"),
        ({"attention_mask": True}, "the attention_mask of its batch hides nothing"),
    ],
)
def test_why_it_is_not_known_what_is_hidden(changes, why):
    shape = (2, 4) if "input_ids" in changes else (2, 5)
    given = {key: value and torch.ones(shape, dtype=torch.long) for key, value in changes.items()}
    found = why_none_hidden(batch(MASK) | given)
    assert why in found
    assert bool(found) == bool(why)
    assert why_none_hidden([1, 2]) == NO_MASK


def test_samples_can_be_rearranged_where_the_batch_is_given():
    import torch

    def make():
        model = torch.nn.Linear(1, 1)
        x = torch.arange(3.0)[:, None]
        return (
            model,
            lambda batch: seen.append(batch["x"][:, 0].tolist()),
            {"batch": lambda i: {"x": x + i, "more": "words"}},
        )

    seen = []
    taken, rearranged = run(make), run(make, order=np.array([2, 0, 1]))
    assert taken.samples() == 3
    taken.step()
    rearranged.taken = 1
    rearranged.step()
    assert seen == [[0, 1, 2], [3, 1, 2]]
    assert run(training()).samples() is None
