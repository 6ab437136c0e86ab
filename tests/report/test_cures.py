"""Facts and cures of messages, and the usual cause of each law."""

from __future__ import annotations

import pytest

from symmetry.report.cures import parted
from symmetry.targets.kinds import invariants

ENDS = "Call train() before each epoch."


@pytest.mark.parametrize(
    ("text", "fact", "cure"),
    [
        ("this clips nothing: there is none. Clip later.", "this clips nothing: there is none", ""),
        (f"it is never undone: a.py:3 trains. {ENDS}", "it is never undone: a.py:3 trains", ENDS),
        ("it is given probabilities: give it the logits", "it is given probabilities", ""),
        ("two losses. If it is not meant, call train().", "two losses", ""),
        ("the loss is a sum, and a mean", "the loss is a sum, and a mean", None),
        ("a layer of 3. It has no gradient", "a layer of 3. It has no gradient", None),
    ],
)
def test_a_message_is_parted_into_its_fact_and_its_cure(text, fact, cure):
    found, end = parted(text)
    assert found == fact
    if cure is None:
        assert end == ""
    else:
        assert end
        assert end.lower().rstrip(".") in text.lower()
        assert cure in ("", end)


def test_all_laws_have_a_usual_cause_and_a_cure():
    laws = invariants()
    assert [law.name for law in laws if not (law.cause and law.cure)] == []
    assert all(law.cure.endswith(".") and not law.cause.endswith(".") for law in laws)
