"""Operations on batches that differ in one sample, written by hand, and what mixes them first."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.observe.source_line import SourceLine
from symmetry.training.mixing import Mixing, Performed, roles_by_name

COUNT, SAMPLE = 4, 2


def batches(*shape):
    """Return two batches that differ in one sample."""
    a = np.random.default_rng(0).standard_normal((COUNT, *shape))
    b = a.copy()
    b[SAMPLE] += 1.0
    return a, b


def softmax(x):
    powers = np.exp(x)
    return powers / powers.sum(0)


class Seen:
    """Two evaluations of some functions, one after the other, and what mixes their samples."""

    def __init__(self, *shape):
        self.mixing, self.now = Mixing(COUNT, SAMPLE), batches(*shape)
        self.lines = 0

    def do(self, function, role="other", name="", **facts):
        self.lines += 1
        place = SourceLine("train.py", self.lines)
        made = [function(each) for each in self.now]
        own, other = (
            Performed(name or role, role, [x], [y], place, **facts)
            for x, y in zip(self.now, made, strict=True)
        )
        held = self.mixing.see(own, other)
        self.now = made[0], made[0] if held else made[1]
        return self

    @property
    def first(self):
        return self.mixing.first


def test_what_is_done_row_by_row_mixes_nothing():
    assert Seen(3).do(np.tanh).do(lambda x: x.T, "moves").do(lambda x: x * 2).first is None


def test_a_softmax_over_the_samples_that_is_last():
    mixer = Seen(3).do(np.tanh).do(softmax, "softmax", axis=0).do(lambda x: x.T, "moves").first
    assert (mixer.kind, mixer.shape, mixer.axis, mixer.place.line) == ("softmax", (COUNT, 3), 0, 2)
    assert mixer.is_last
    assert not Seen(3).do(softmax, "softmax", axis=0).do(np.tanh).first.is_last


def test_a_softmax_over_another_axis_may_be_meant():
    assert Seen(3).do(softmax, "softmax", axis=1).first.kind == "other"


def test_a_product_with_a_parameter_or_with_a_constant():
    weights = np.random.default_rng(1).standard_normal((COUNT, COUNT))

    def seen(**facts):
        mixing, (a, b) = Mixing(COUNT, SAMPLE), batches(3)
        place = SourceLine("train.py", 1)
        both = (
            Performed("dot", "product", [weights, x], [weights @ x], place, **facts) for x in (a, b)
        )
        mixing.see(*both)
        return mixing.first

    assert (seen(has_parameter=True).kind, seen().kind) == ("product", "other")
    assert seen().by_position


def test_a_view_mixes_if_something_is_done_with_its_rows():
    viewed = Seen(6).do(lambda x: x.T, "moves").do(lambda x: x.reshape(COUNT, 6), "view")
    assert viewed.first is None
    assert viewed.do(lambda x: np.cumsum(x, 1)).first.kind == "view"


def test_a_view_back_separates_the_samples():
    seen = Seen(6).do(lambda x: x.T, "moves").do(lambda x: x.reshape(COUNT, 6), "view")
    seen.do(lambda x: x.reshape(6, COUNT), "view").do(np.tanh)
    assert seen.first is None


def test_what_stands_in_for_a_sum_holds_it():
    assert Seen(3).do(lambda x: x.sum(0), "held").do(np.tanh).first is None
    assert Seen(3).do(lambda x: x.sum(0), "other").first.kind == "other"


@pytest.mark.parametrize("role", ["moves", "view"])
def test_what_is_moved_was_mixed_before(role):
    mixer = Seen(3).do(lambda x: x - x.mean(0), name="center").do(lambda x: x[::-1], role).first
    assert (mixer.operation, mixer.place.line) == ("center", 1)


def test_another_operation_in_the_other_batch_mixes():
    mixing, (a, b) = Mixing(COUNT, SAMPLE), batches(3)
    one, other = (
        Performed(name, "other", [x], [x], SourceLine("train.py", 1))
        for name, x in (("tanh", a), ("relu", b))
    )
    mixing.see(one, other)
    assert mixing.first.operation == "tanh"


def test_the_later_of_two_roles():
    assert roles_by_name({"moves": ["a", "b"], "view": ["b"]}) == {"a": "moves", "b": "view"}
