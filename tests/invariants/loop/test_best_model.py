"""Where a best model is another name for the model, and where it is one of its own."""

from __future__ import annotations

import textwrap
from dataclasses import replace

import pytest

from symmetry.invariants.loop.best_model import kept_by_name
from symmetry.invariants.loop.copies import copies
from symmetry.observe.source_line import SourceLine
from symmetry.training.events import Called
from tests.invariants.loop.made import epochs, event, model

KEPT = """
    best = best_model = None
    for epoch in range(9):
        train(model)
        loss = validate(model)
        if loss < best:
            best = loss
            best_model = model
"""
TOGETHER = """
    while True:
        score = validate(self.model)
        if self.best <= score:
            self.best, self.best_model = score, self.model
"""


@pytest.mark.parametrize(("text", "line"), [(KEPT, 8), (TOGETHER, 5)])
def test_a_best_model_without_a_copy_is_found(text, line):
    (kept,) = kept_by_name(textwrap.dedent(text), {"model"})
    assert kept.line == line
    assert kept.name.endswith("best_model")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("best_model = model", "best_model = copy.deepcopy(model)"),
        ("train(model)", "model = train(Net())"),  # another one for each setting
        ("for epoch in range(9)", "for model in models"),
        ("if loss < best", "if epoch % 2"),  # as networks that take turns
        ("best = loss", "seen = loss"),
        ("model", "name"),
    ],
)
def test_a_model_of_its_own_is_none(old, new):
    assert not [*kept_by_name(textwrap.dedent(KEPT).replace(old, new), {"model"})]


def test_it_is_a_note_of_a_model_that_trains(tmp_path):
    file = tmp_path / "train.py"
    file.write_text(textwrap.dedent(KEPT))
    called = replace(event(Called, 4), at=SourceLine(str(file), 4))
    (note,) = copies(epochs(called, models=(model(variable="model"),))).notes
    assert (note.name, note.line) == ("loop/best-model", 8)
    assert "best_model is another name for model, and no copy of it" in note.text
    assert not copies(epochs(called, models=(model(variable="critic"),))).notes
