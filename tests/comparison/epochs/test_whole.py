"""Scripts that are the same over whole epochs, and others: where they first differ."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from symmetry.comparison.epochs.whole import LIMIT, WholeSide, compare_whole
from symmetry.targets.script import script
from symmetry.training.target import FunctionTraining
from tests.conftest import slow
from tests.torch.script.epochs import evaluations as functions

TEXT = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
train_data = TensorDataset(torch.randn(96, 4), torch.randint(3, (96,)))
test_data = TensorDataset(torch.randn(32, 4), torch.randint(3, (32,)))
loader = DataLoader(train_data, batch_size=8, shuffle=True)
test_loader = DataLoader(test_data, batch_size=8)
model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
for epoch in range(4):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    scheduler.step()
    model.eval()
    with torch.no_grad():
        print(sum(nn.functional.mse_loss(model(x), model(x) + 1).item() for x, y in test_loader))
"""
LINES = TEXT.splitlines()


@pytest.fixture
def compared(tmp_path, monkeypatch):
    """Compare a script with one in which a text is replaced."""
    monkeypatch.chdir(tmp_path)
    targets = []

    def compare(old: str = "", new: str = ""):
        assert old in TEXT
        for name, text in (("a.py", TEXT), ("b.py", TEXT.replace(old, new) if old else TEXT)):
            (tmp_path / name).write_text(text)
            targets.append(script(name))
        sides = [WholeSide(each.training, 0, lambda: None) for each in targets]
        return compare_whole(*sides)

    yield compare
    for target in targets:
        target.close()


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(LINES, start=1) if text in line)


def test_a_script_is_the_same_as_itself(compared):
    found = compared()
    assert (found.same, found.first, found.ratio) == (True, None, 0.0)
    assert (found.updates, found.evaluated, found.ended) == (7, 14, "the script's end")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("cross_entropy(model(x), y)", "cross_entropy(model(x).double(), y)"),
        slow("cross_entropy(model(x), y)", "nll_loss(model(x).log_softmax(1), y)"),
        ("model.train()", "model.train(); model.train()"),
        slow("    print(sum", "    model.state_dict(); print(sum"),
    ],
)
def test_sound_changes_are_the_same(compared, old, new):
    found = compared(old, new)
    assert found.same, found
    assert found.ratio < LIMIT / 10


@pytest.mark.parametrize(
    ("old", "new", "phase", "step", "at", "words"),
    [
        ("StepLR(optimizer, 2", "StepLR(optimizer, 3", "update", 5, "optimizer.step", "0.1, not"),
        slow(
            "optimizer.step()\n    scheduler.step()",
            "optimizer.step(); scheduler.step()",
            "update",
            3,
            "optimizer.step",
            "only b.py:20: StepLR steps",
        ),
        ("model.eval()", "pass", "forward", 3, "mse_loss", "at a.py:22: Sequential.eval()"),
        slow("    model.train()\n", "", "forward", 3, "cross_entropy", "Sequential.train()"),
        slow("+ 1)", "+ 2)", "loss", 3, "mse_loss", "mse_loss (mean), is 4"),
        slow("shuffle=True", "shuffle=False", "data", 1, "in loader", "other numbers"),
        ("range(4)", "range(3)", "loop", 7, "", "has ended (the script's end)"),
        slow(
            "lr=0.1", "lr=0.1, momentum=0.5", "update", 2, "optimizer.step", "the parameters after"
        ),
        ("seed(0)", "seed(1)", "start", 0, "", "they begin from other numbers: 0.weight"),
    ],
)
def test_the_first_difference_is_named(compared, old, new, phase, step, at, words):
    found = compared(old, new)
    assert found.same is False
    first = found.first
    assert (first.phase, first.step) == (phase, step), first
    assert words in first.text
    if at:
        moved = new.count("\n") - old.count("\n")
        expected = line_of(at) + (moved if line_of(at) > line_of(old.splitlines()[0]) else 0)
        assert first.file == "b.py"
        assert first.line == expected


@pytest.mark.slow
def test_a_script_that_needs_whole_epochs_cannot_be_compared_with_one_that_does_not(compared):
    step = "        optimizer.step()\n"
    counted = "        scheduler.seen = getattr(scheduler, 'seen', 0) + 1\n"
    found = compared(step, f"{step}{counted}    assert scheduler.seen == 12 * (epoch + 1)\n")
    assert found.same is None
    assert "b.py does not run with short epochs" in found.note


def test_a_script_with_new_data_in_each_run_cannot_be_judged(compared):
    drawn = "import os; data = [(x + os.urandom(1)[0], y) for x, y in train_data]"
    found = compared("for x, y in loader:", f"{drawn}\n    for x, y in DataLoader(data, 8):")
    assert found.same is None
    assert "rounding leads to other batches" in found.note


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (
            (
                "print(sum(nn.functional.mse_loss(model(x), model(x) + 1, reduction='sum') / 24 "
                "for x, y in test_loader))"
            ),
            "b.py:24 computes mse_loss (sum) 2 times in an evaluation, at first 24, a.py:24 ",
        ),
        (
            (
                "z = torch.cat([model(x) for x, y in test_loader]); "
                "print(nn.functional.mse_loss(z, z + 1))"
            ),
            "b.py:24 computes mse_loss (mean) 1 time in an evaluation, at first 1, ",
        ),
    ],
)
def test_an_evaluation_in_other_pieces_is_the_same_loss(compared, new, words):
    found = compared(LINES[-1].strip(), new)
    assert found.same, found
    assert words in found.pooled


@pytest.mark.slow
@pytest.mark.parametrize(
    ("new", "text"),
    [
        slow(
            "mse_loss(model(x), model(x) + 2, reduction='sum')", "mse_loss over all entries, is 192"
        ),
        ("l1_loss(model(x), model(x) + 3)", "l1_loss over all entries, is 144"),
        slow("mse_loss(model(x)[1:], model(x)[1:] + 1, reduction='sum')", "entries, is 42, "),
    ],
)
def test_an_evaluation_of_another_loss_differs(compared, new, text):
    found = compared("mse_loss(model(x), model(x) + 1)", new)
    assert found.same is False
    assert (found.first.phase, found.first.line) == ("loss", line_of("mse_loss"))
    assert text in found.first.text
    assert "the reference's 48" in found.first.text


def test_a_loss_that_only_one_evaluates_is_left_out(compared):
    found = compared(
        "model(x) + 1).item()",
        "model(x) + 1).item() + 0 * nn.functional.l1_loss(x, x)",
    )
    assert found.same
    assert "l1_loss (mean) at b.py:24" in found.left_out


def function_side(rate: float = 0.1, steps: int = 99, decays: int = 99) -> WholeSide:
    def training():
        model = nn.Linear(4, 3)
        optimizer = torch.optim.SGD(model.parameters(), rate)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, decays)
        batches = [(torch.randn(8, 4), torch.randint(3, (8,))) for _ in range(steps)]

        def step(i):
            x, y = batches[i]
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()

        return model, step

    return WholeSide(FunctionTraining("f", training), 0, lambda: None)


def test_functions_without_evaluate_are_compared_over_more_steps():
    found = compare_whole(function_side(), function_side())
    assert (found.same, found.updates, found.ended) == (True, 12, "after 12 steps")
    later = compare_whole(function_side(), function_side(decays=6))
    assert later.same is False
    assert "the learning rate of update 7 is 0.01, not 0.1" in later.first.text


def test_functions_end_where_their_batches_end():
    found = compare_whole(function_side(steps=5), function_side(steps=5))
    assert (found.same, found.updates) == (True, 5)
    assert "step 6 raised an error" in found.ended
    shorter = compare_whole(function_side(steps=5), function_side(steps=4))
    assert shorter.same is False
    assert "has ended (step 5 raised an error" in shorter.first.text


def test_functions_with_evaluate_are_compared_with_it():
    def side(evaluation):
        return WholeSide(FunctionTraining("f", functions.made(evaluation)), 0, lambda: None)

    found = compare_whole(side(functions.sound), side(functions.sound))
    assert (found.same, found.updates, found.evaluated) == (True, 12, 12)
