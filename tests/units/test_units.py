"""Units as a value: random parts of every kind, against loops that take one entry at a time."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symmetry.units import compare
from symmetry.units.state import finite, has_moved, identical
from symmetry.units.units import Part, Units, first_of_group, merged, sources

ROWS = Units("rows", 3, (Part("w", 0),))
COLUMNS = Units("columns", 2, (Part("w", 1), Part("v", 0)))
STATE = {
    "w": np.arange(6.0, dtype=np.float32).reshape(3, 2),
    "v": np.array([7.0, 8.0]),
    "rest": np.array([9.0]),
}


def test_one_pair_takes_the_entries_of_the_first():
    found = sources([(ROWS, 0, 2)], STATE)
    assert found.keys() == {"w"}
    assert found["w"].tolist() == [[0, 1], [2, 3], [0, 1]]


def test_pairs_that_overlap_are_joined_through_each_other():
    found = sources([(ROWS, 0, 2), (COLUMNS, 0, 1)], STATE)
    assert found["w"].tolist() == [[0, 0], [2, 2], [0, 0]]
    assert found["v"].tolist() == [6, 6]  # numbered on from w
    chain = sources([(ROWS, 1, 2), (ROWS, 0, 1)], STATE)
    assert chain["w"].tolist() == [[0, 1]] * 3


def test_a_merged_state_keeps_dtypes_and_what_has_no_units():
    pairs = [(ROWS, 0, 2), (COLUMNS, 0, 1)]
    new = merged(STATE, sources(pairs, STATE))
    assert new["w"].tolist() == [[0, 0], [2, 2], [0, 0]]
    assert new["w"].dtype == np.float32
    assert new["v"].tolist() == [7, 7]
    assert new["rest"] is STATE["rest"]
    for units, a, b in pairs:  # they are clones
        swapped = units.swapped(new, a, b)
        assert all(np.array_equal(swapped[name], new[name]) for name in new)


COUNT = st.integers(2, 5)


@dataclass(frozen=True)
class Drawn:
    """Units, and a state in which every number is another one."""

    units: Units
    state: dict[str, np.ndarray]


def part(draw: st.DrawFn, name: str, count: int) -> tuple[Part, np.ndarray]:
    """Draw where units lie in an array of up to three axes, and the array."""
    rank = draw(st.integers(1, 3))
    axis = draw(st.integers(0, rank - 1))
    block = draw(st.integers(1, 3))
    first, gap = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    stride = block + gap
    indices = None
    if draw(st.booleans()):
        left_out = draw(st.integers(0, count))
        places = [unit + (unit >= left_out) for unit in range(count)]
        indices = tuple(first + stride * place for place in places)
    shape = [draw(st.integers(1, 4)) for _ in range(rank)]
    shape[axis] = first + stride * (count + 1) + block
    where = []
    for other in range(rank):
        if other != axis and draw(st.booleans()):
            start = draw(st.integers(0, shape[other] - 1))
            where.append((other, start, draw(st.integers(start + 1, shape[other]))))
    array = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    return Part(name, axis, first, stride, block, indices, tuple(where)), array


@st.composite
def any_units(draw: st.DrawFn) -> Drawn:
    count = draw(COUNT)
    parts, state = [], {"apart": np.arange(3.0)}
    for number in range(draw(st.integers(1, 3))):
        found, state[f"a{number}"] = part(draw, f"a{number}", count)
        parts.append(found)
    return Drawn(Units("units", count, tuple(parts)), state)


def entries(found: Part, array: np.ndarray, unit: int) -> list[tuple[int, ...]]:
    """Return the indices of one unit's entries, one by one, from the definition."""
    first = found.indices[unit] if found.indices else found.first + unit * found.stride
    ranges = [range(size) for size in array.shape]
    for axis, start, stop in found.within:
        ranges[axis] = range(start, stop)
    ranges[found.axis] = range(first, first + found.block)
    return list(product(*ranges))


def slowly_rearranged(drawn: Drawn, order: list[int]) -> dict[str, np.ndarray]:
    new = {name: array.copy() for name, array in drawn.state.items()}
    for found in drawn.units.parts:
        old = drawn.state[found.array]
        for place, unit in enumerate(order):
            for here, there in zip(
                entries(found, old, place), entries(found, old, unit), strict=True
            ):
                new[found.array][here] = old[there]
    return new


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@given(any_units(), st.data())
def test_rearranging_is_what_a_loop_over_entries_does(drawn, data):
    units = st.integers(0, drawn.units.count - 1)
    order = data.draw(st.lists(units, min_size=drawn.units.count, max_size=drawn.units.count))
    kept = {name: array.copy() for name, array in drawn.state.items()}
    assert same(dict(drawn.units.rearranged(drawn.state, order)), slowly_rearranged(drawn, order))
    assert same(drawn.state, kept)


@given(any_units(), st.data())
def test_a_permutation_and_its_inverse_change_nothing(drawn, data):
    order = np.array(data.draw(st.permutations(range(drawn.units.count))))
    there = drawn.units.rearranged(drawn.state, order)
    assert same(drawn.units.rearranged(there, np.argsort(order)), drawn.state)


@given(any_units(), st.data())
def test_orders_compose(drawn, data):
    one, two = (np.array(data.draw(st.permutations(range(drawn.units.count)))) for _ in range(2))
    in_turn = drawn.units.rearranged(drawn.units.rearranged(drawn.state, one), two)
    assert same(in_turn, drawn.units.rearranged(drawn.state, one[two]))


@given(any_units(), st.data())
def test_copies_are_grouped_and_others_are_not(drawn, data):
    units = st.integers(0, drawn.units.count - 1)
    order = data.draw(st.lists(units, min_size=drawn.units.count, max_size=drawn.units.count))
    groups = drawn.units.groups(drawn.units.rearranged(drawn.state, order))
    assert {frozenset(group) for group in groups} == {
        frozenset(place for place, unit in enumerate(order) if unit == original)
        for original in order
    }


@given(any_units(), st.data())
def test_swapping_and_copying_rearrange(drawn, data):
    units = st.integers(0, drawn.units.count - 1)
    a, b = data.draw(units), data.draw(units)
    swapped = list(range(drawn.units.count))
    swapped[a], swapped[b] = b, a
    assert same(drawn.units.swapped(drawn.state, a, b), slowly_rearranged(drawn, swapped))
    copied = list(range(drawn.units.count))
    copied[b] = a
    assert same(drawn.units.rearranged(drawn.state, copied), slowly_rearranged(drawn, copied))


@given(any_units())
def test_entries_lead_from_rows_back_into_the_arrays(drawn):
    for found in drawn.units.parts:
        array = drawn.state[found.array]
        rows = drawn.units.rows(drawn.state, found)
        for unit, row in enumerate(rows):
            own = [drawn.units.entry(drawn.state, found, unit, k) for k in range(len(row))]
            assert [array[entry] for entry in own] == row.tolist()
            assert sorted(own) == entries(found, array, unit)
            assert all(drawn.units.unit_at(found.array, entry) == unit for entry in own)


@given(any_units())
def test_an_entry_of_no_unit_is_of_no_unit(drawn):
    for found in drawn.units.parts:
        array = drawn.state[found.array]
        taken = {e for unit in range(drawn.units.count) for e in entries(found, array, unit)}
        for entry in set(np.ndindex(array.shape)) - taken:
            assert drawn.units.unit_at(found.array, entry) is None
    assert drawn.units.unit_at("apart", (0,)) is None


@given(any_units())
def test_arrays_without_units_are_shared_and_missing_ones_skipped(drawn):
    order = np.roll(range(drawn.units.count), 1)
    assert drawn.units.rearranged(drawn.state, order)["apart"] is drawn.state["apart"]
    less = {"apart": drawn.state["apart"]}
    assert same(dict(drawn.units.rearranged(less, order)), less)


def test_a_unit_on_two_axes_of_one_matrix_moves_along_both():
    units = Units("recurrent units", 3, (Part("w", axis=0), Part("w", axis=1)))
    w = np.arange(9.0).reshape(3, 3)
    order = [2, 0, 1]
    assert np.array_equal(units.rearranged({"w": w}, order)["w"], w[np.ix_(order, order)])


def test_parts_within_some_arrays():
    units = Units("hidden units", 2, (Part("a", 0), Part("b", 1), Part("a", 1)))
    assert units.arrays == ("a", "b")
    assert units.only_in("a") == Units("hidden units", 2, (Part("a", 0), Part("a", 1)))


@pytest.mark.parametrize(
    ("name", "one"),
    [("hidden units", "hidden unit"), ("classes", "class"), ("blocks.0.attn heads", None)],
)
def test_the_name_of_one(name, one):
    assert Units(name, 2, ()).one == (one or "blocks.0.attn head")


def test_the_first_of_each_group():
    assert first_of_group([(0, 2), (3, 4)], 6).tolist() == [0, 1, 0, 3, 3, 5]
    assert first_of_group([], 2).tolist() == [0, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_groups_compare_bits_of_all_parts(dtype):
    units = Units("units", 3, (Part("a", 0), Part("b", 0)))
    a = np.array([0.0, -0.0, 0.0], dtype)
    b = np.array([np.nan, np.nan, 1.0], dtype)
    assert units.groups({"a": a, "b": b}) == ((0, 1), (2,))
    assert units.groups({"a": a}) == ((0, 1, 2),)
    b[1] = np.nextafter(b[2], b.dtype.type(2))
    assert units.groups({"b": b}) == ((0,), (1,), (2,))


def test_a_state_is_finite_identical_and_moves():
    start = {"a": np.array([0.0, 1.0]), "b": np.array([2.0])}
    assert finite(start)
    assert not finite({**start, "b": np.array([np.nan])})
    assert identical(start, {"a": np.array([-0.0, 1.0]), "b": np.array([2.0])})
    assert not identical(start, {"a": np.array([0.0, 1.0]), "b": np.array([2.5])})
    assert has_moved(start, [{"a": np.array([-0.0, 1.0]), "b": np.array([2.5])}])
    assert not has_moved(start, [{"a": np.array([-0.0, 1.0])}, {"c": np.array([2.5])}])
    assert not has_moved(start, [{"a": np.array([np.inf, 1.0])}])


def test_large_states_are_grouped_by_every_entry():
    rows = np.tile(np.arange(785, dtype=np.float32), (200, 1))
    rows[150, 700] = np.nextafter(rows[150, 700], np.float32(0))
    units = Units("hidden units", 200, (Part("w", axis=1),))
    groups = units.groups({"w": np.asfortranarray(rows.T)})
    assert [len(group) for group in groups] == [199, 1]
    assert compare.distinct(rows) == 2


def test_units_may_be_whole_arrays() -> None:
    units = Units("experts", 3, (Part("a", 0, arrays=("a", "b", "c")), Part("r", 1)))
    state = {
        **{name: np.full((2, 2), float(n)) for n, name in enumerate("abc")},
        "r": np.array([[5.0, 6.0, 7.0]]),
    }
    assert units.arrays == ("a", "b", "c", "r")
    assert units.rows(state, units.parts[0]).tolist() == [[0.0] * 4, [1.0] * 4, [2.0] * 4]
    new = units.rearranged(state, [1, 2, 0])
    assert [new[name][0, 0] for name in "abc"] == [1.0, 2.0, 0.0]
    assert new["r"].tolist() == [[6.0, 7.0, 5.0]]
    assert [state[name][0, 0] for name in "abc"] == [0.0, 1.0, 2.0]
    assert units.groups(units.rearranged(state, [0, 1, 0])) == ((0, 2), (1,))
    assert units.unit_at("b", (1, 1)) == 1
    assert units.entry(state, units.parts[0], 2, 3) == (1, 1)


def test_units_in_units_that_are_arrays_stay_apart() -> None:
    inner = Part("b", 0)
    units = Units("mixed", 2, (Part("a", 0, arrays=("a", "b")), inner))
    state = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0])}
    new = units.rearranged(state, [0, 0])
    assert new["a"].tolist() == [1.0, 2.0]
    assert new["b"].tolist() == [1.0, 1.0]


def test_parts_and_units_are_values() -> None:
    part = Part("w", axis=1)
    assert part == Part("w", axis=1)
    assert {part: 1}[Part("w", axis=1)] == 1
    with pytest.raises(FrozenInstanceError):
        part.axis = 0  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        Units("hidden", 2, (part,)).count = 3  # type: ignore[misc]


def test_what_one_unit_has_no_array_of_is_missing_where_the_unit_goes():
    units = Units("experts", 3, (Part("e.0", 0, arrays=("e.0", "e.1", "e.2")),))
    state = {"e.0": np.zeros(2), "e.2": np.full(2, 2.0), "other": np.ones(1)}
    moved = units.rearranged(state, [2, 0, 1])
    assert {name: array.tolist() for name, array in moved.items()} == {
        "other": [1],
        "e.0": [2, 2],
        "e.1": [0, 0],
    }
