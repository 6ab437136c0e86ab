"""What is drawn: a usual set of arguments, the smallest, and edges."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from symmetry.base.errors import SymmetryError
from symmetry.targets.sizes.shrink import StepBudget, contrast, shrink
from symmetry.targets.sizes.space import Space

SPACE = Space({"hidden": st.integers(1, 64), "batch": st.sampled_from([1, 2, 3, 16])})


def test_the_first_examples_are_the_usual_and_the_smallest():
    usual, smallest, *others = SPACE.examples(10)
    assert usual == {"hidden": 33, "batch": 3}
    assert smallest == {"hidden": 1, "batch": 1}
    assert len(others) == 8
    assert {64, 2} & {each["hidden"] for each in others}
    assert {each["batch"] for each in SPACE.examples(10)} == {1, 2, 3, 16}
    assert SPACE.examples(10) == Space(SPACE.strategies).examples(10)


def test_edges_are_visited():
    hidden = {each["hidden"] for each in Space({"hidden": st.integers(1, 1000)}).examples(30)}
    assert {1, 2, 1000} <= hidden
    assert any(h % 8 == 0 for h in hidden)
    assert any(h % 8 in (1, 7) for h in hidden)


def test_few_arguments_give_few_examples():
    assert len(Space({"flag": st.booleans()}).examples(10)) == 2


@pytest.mark.parametrize("strategy", [st.nothing(), st.integers(5, 1), st.sampled_from([object()])])
def test_what_draws_nothing_that_can_be_typed_is_refused(strategy):
    with pytest.raises(SymmetryError, match=r"x draws "):
        Space({"x": strategy}).examples(3)


def test_arguments_shrink_to_the_smallest_that_fail():
    space = Space({"hidden": st.integers(1, 4096), "rate": st.floats(1e-6, 1)})

    def fails(arguments):
        return True if arguments["hidden"] >= 77 else None

    start = {"hidden": 3000, "rate": 0.123456}
    arguments, _ = shrink(space, start, True, fails, StepBudget())
    assert arguments == {"hidden": 77, "rate": 1.0}
    assert shrink(space, start, True, fails, StepBudget(0))[0] == start


def test_multiples_shrink_within_what_is_drawn():
    space = Space({"hidden": st.integers(1, 100).map(lambda k: 8 * k)})
    arguments, _ = shrink(
        space, {"hidden": 800}, True, lambda a: True if a["hidden"] > 60 else None, StepBudget()
    )
    assert arguments == {"hidden": 64}


def test_a_larger_size_that_passes_is_named():
    pair = contrast(SPACE, {"hidden": 5, "batch": 1}, lambda a: a["batch"] > 1, StepBudget(), {})
    assert pair == ("batch=1", "batch=2")
    assert contrast(SPACE, {"hidden": 5, "batch": 1}, lambda _: False, StepBudget(), {}) is None


def test_the_next_smaller_size_is_named_if_all_larger_ones_fail():
    pair = contrast(SPACE, {"hidden": 5, "batch": 1}, lambda a: a["hidden"] < 5, StepBudget(), {})
    assert pair == ("hidden=5", "hidden=4")
