"""What groups are called."""

from __future__ import annotations

import pytest

from symmetry.finding.naming import named
from symmetry.units.units import Part, Units

SHAPES = {
    "model.fc1.weight": (6, 4),
    "model.fc1.bias": (6,),
    "model.fc2.weight": (4, 6),
    "model.conv.weight": (8, 3, 3, 3),
    "model.conv.bias": (8,),
    "model.rnn.weight_ih": (5, 4),
    "model.rnn.weight_hh": (5, 5),
    "model.words.weight": (9, 4),
    "model.0.weight": (7, 4),
    "model.attention.qkv.weight": (12, 4),
    "model.attention.out.weight": (4, 4),
    "model.experts": (2, 4, 6),
    "model.router.weight": (2, 4),
    "model.rel.q": (16, 2, 8),
    "model.rel.o": (16, 2, 8),
    "model.rope.frequencies": (2,),
    "model.rotary.q.weight": (8, 4),
    "model.rotary.k.weight": (4, 4),
}


def names(*groups, output_on_axis_1=frozenset()):
    units = [Units("", count, parts) for count, *parts in groups]
    return [each.name for each in named(units, SHAPES, output_on_axis_1)]


@pytest.mark.parametrize(
    ("count", "parts", "name"),
    [
        (6, [Part("model.fc1.weight", 0), Part("model.fc2.weight", 1)], "fc1 units"),
        (8, [Part("model.conv.weight", 0), Part("model.conv.bias", 0)], "conv channels"),
        (
            5,
            [Part("model.rnn.weight_hh", 0), Part("model.rnn.weight_hh", 1)],
            "rnn recurrent units",
        ),
        (7, [Part("model.0.weight", 0)], "layer 0 units"),
        (2, [Part("model.attention.qkv.weight", 0, 0, 2, 2)], "attention.qkv heads"),
    ],
)
def test_units_are_named_by_the_module_that_makes_them_and_by_what_they_are(count, parts, name):
    assert names((count, *parts)) == [name]


def test_what_several_modules_make_and_take_is_the_residual_stream():
    parts = [Part("model.fc2.weight", 0), Part("model.words.weight", 1)]
    parts += [Part("model.fc1.weight", 1), Part("model.attention.qkv.weight", 1)]
    assert names((4, *parts), output_on_axis_1={"model.words.weight"}) == ["fc1 residual stream"]


def test_what_lies_in_one_head_is_named_after_it():
    whole = (
        2,
        Part("model.attention.qkv.weight", 0, 0, 2, 2),
        Part("model.attention.out.weight", 1, 0, 2, 2),
    )
    inside = 2, Part("model.attention.qkv.weight", 0, 2), Part("model.attention.qkv.weight", 0, 2)
    assert names(whole, inside) == ["attention heads", "attention head 1 query/key dimensions"]


def test_what_holds_others_and_has_a_router_is_an_expert_and_else_a_head():
    inner = [(6, Part("model.experts", 2, within=((0, e, e + 1),))) for e in range(2)]
    experts = names((2, Part("model.experts", 0), Part("model.router.weight", 0)), *inner)
    assert experts[0].endswith(" experts")
    inner = [(8, Part("model.rel.q", 2, within=((1, h, h + 1),))) for h in range(2)]
    inner += [(8, Part("model.rel.o", 2, within=((1, h, h + 1),))) for h in range(2)]
    heads = names((2, Part("model.rel.q", 1), Part("model.rel.o", 1)), *inner)
    assert heads[:2] == ["rel heads", "rel head 0 dimensions"]


def test_experts_that_are_chosen_in_groups_are_named_after_theirs():
    shapes = {"model.moe.up": (4, 6, 5), "model.moe.gate": (4, 6)}
    blocks = Units("", 2, tuple(Part(a, 0, stride=2, block=2) for a in shapes), selectable=True)
    inside = Units("", 2, tuple(Part(a, 0, first=2) for a in shapes), selectable=True)
    found = [units.name for units in named([blocks, inside], shapes)]
    assert found == ["moe expert groups", "moe expert group 1 experts"]


def test_what_lies_in_all_queries_and_keys_more_than_once_is_a_rotary_pair():
    queries = [Part("model.rotary.q.weight", 0, first) for first in (0, 2, 4, 6)]
    keys = [Part("model.rotary.k.weight", 0, first) for first in (0, 2)]
    found = names((2, Part("model.rope.frequencies", 0), *queries, *keys))
    assert found == ["rotary rotary pairs"]


def test_groups_of_one_name_are_numbered():
    parts = [Part("model.fc1.weight", 0)]
    assert names((3, *parts), (2, Part("model.fc1.weight", 0, 3))) == ["fc1 units", "fc1 units (2)"]


def test_parts_come_in_the_order_of_the_state():
    (units,) = named(
        [Units("", 6, (Part("model.fc2.weight", 1), Part("model.fc1.bias", 0)))], SHAPES
    )
    assert units.arrays == ("model.fc1.bias", "model.fc2.weight")
