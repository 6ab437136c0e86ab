from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symmetry.base.errors import SymmetryError
from symmetry.base.randomness.random import Random

SEEDS = st.integers(0, 2**64)


def pcg64(seed: int, *stream: int) -> Iterator[int]:
    """Yield the raw numbers of PCG64 (XSL-RR 128/64), in plain Python integers."""
    words = np.random.SeedSequence(seed, spawn_key=stream).generate_state(4, np.uint64).tolist()
    start, increment = (words[0] << 64) + words[1], ((words[2] << 64) + words[3]) * 2 + 1
    multiplier, mask = 0x2360ED051FC65DA44385DF649FCCF645, 2**128 - 1
    state = ((increment + start) * multiplier + increment) & mask
    while True:
        state = (state * multiplier + increment) & mask
        folded, turn = (state >> 64) ^ (state & 2**64 - 1), state >> 122
        yield (folded >> turn | folded << (64 - turn)) & 2**64 - 1


def uniforms(seed: int) -> Iterator[float]:
    return (math.ldexp(raw >> 11, -53) for raw in pcg64(seed))


# The same numbers everywhere


def test_golden_uniforms() -> None:
    assert [u.hex() for u in Random(0).uniform(3)] == [
        "0x1.461fd79fb3850p-1",
        "0x1.1442f7e20b674p-2",
        "0x1.4fa7b529d9bd0p-5",
    ]
    assert [u.hex() for u in Random(1, 2).uniform(3, -0.01, 0.01)] == [
        "-0x1.5dbddc310410fp-8",
        "-0x1.28dd29cf436a3p-7",
        "-0x1.9daa0e92cba98p-10",
    ]


def test_golden_normals_integers_and_permutations() -> None:
    random = Random(0)
    assert [z.hex() for z in random.normals(3)] == [
        "0x1.511ade1398430p-1",
        "0x1.3436863385608p-1",
        "-0x1.d7520eed72dc0p-2",
    ]
    assert random.integers(10, 12).tolist() == [8, 7, 6, 8, 3, 7, 3, 8, 8, 0, 5, 4]
    assert random.permutation(10).tolist() == [5, 0, 7, 3, 6, 8, 2, 9, 1, 4]
    assert random.integers(2**63, 1).tolist() == [4254597801902691692]


# What each number is, said a second time without NumPy's arrays


@given(SEEDS)
def test_uniforms_are_the_upper_53_bits(seed: int) -> None:
    assert Random(seed).uniform(5).tolist() == list(islice(uniforms(seed), 5))


@given(SEEDS, st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_uniforms_of_a_range(seed: int, one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    found = Random(seed).uniform(5, low, high)
    assert found.tolist() == [low + (high - low) * u for u in islice(uniforms(seed), 5)]


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.sampled_from([0, 2**64 - 1]))
def test_the_extreme_uniforms_are_in_range(one: float, other: float, raw: int) -> None:
    low, high = min(one, other), max(one, other)
    with mock.patch.object(Random, "_raw", return_value=np.array([raw], np.uint64)):
        assert low <= Random(0).uniform(1, low, high)[0] <= high


@given(SEEDS, st.integers(1, 4))
def test_normals_are_sums_of_twelve_uniforms(seed: int, n: int) -> None:
    stream = uniforms(seed)
    draws = [list(islice(stream, n)) for _ in range(12)]
    expected = []
    for element in range(n):
        total = 0.0
        for draw in draws:
            total = total + draw[element]
        expected.append(total - 6.0)
    assert Random(seed).normals(n).tolist() == expected


@given(SEEDS, st.integers(1, 2**63))
def test_integers_are_remainders(seed: int, bound: int) -> None:
    found = Random(seed).integers(bound, 5)
    assert found.dtype == np.int64
    assert found.tolist() == [raw % bound for raw in islice(pcg64(seed), 5)]


@given(SEEDS, st.integers(0, 50))
def test_permutations_sort_raw_numbers(seed: int, n: int) -> None:
    raw = list(islice(pcg64(seed), n))
    found = Random(seed).permutation(n)
    assert found.dtype == np.int64
    assert found.tolist() == sorted(range(n), key=raw.__getitem__)


def test_equal_raw_numbers_keep_their_order() -> None:
    raw = np.repeat(np.array([3, 1, 2], np.uint64), 1000)
    with mock.patch.object(Random, "_raw", return_value=raw):
        expected = sorted(range(3000), key=raw.tolist().__getitem__)
        assert Random(0).permutation(3000).tolist() == expected


# How they behave


@given(SEEDS, st.integers(0, 10), st.integers(0, 10))
def test_a_stream_goes_on_where_it_ended(seed: int, one: int, other: int) -> None:
    random = Random(seed)
    parts = np.concatenate([random.uniform(one), random.uniform(other)])
    assert parts.tolist() == Random(seed).uniform(one + other).tolist()


def test_shapes_are_filled_in_c_order() -> None:
    expected = Random(3).uniform(24).reshape(2, 3, 4)
    assert (Random(3).uniform((2, 3, 4)) == expected).all()
    assert Random(3).normals((0, 4)).shape == (0, 4)
    assert Random(3).integers(5, ()).shape == ()


def test_streams_of_a_seed_differ() -> None:
    keys = [(5,), (5, 0), (5, 0, 0), (5, 1), (0, 5), (6,)]
    assert len({Random(*key).uniform(1)[0] for key in keys}) == len(keys)


@given(SEEDS, st.lists(st.integers(0, 2**32 - 1), max_size=3))
def test_streams_are_those_of_pcg64(seed: int, stream: list[int]) -> None:
    expected = [raw % 2**63 for raw in islice(pcg64(seed, *stream), 3)]
    assert Random(seed, *stream).integers(2**63, 3).tolist() == expected


def test_moments() -> None:
    z = Random(7).normals(100_000)
    assert abs(z.mean()) < 0.01
    assert abs(z.var() - 1) < 0.01
    counts = np.bincount(Random(7).integers(6, 60_000))
    assert counts.min() > 9_600
    assert counts.max() < 10_400


def test_what_is_refused() -> None:
    with pytest.raises(SymmetryError, match=r"^a seed is at least 0, not -1$"):
        Random(-1)
    with pytest.raises(SymmetryError, match=r"^a seed is at least 0, not -2$"):
        Random(3, -2)
    for bound in (0, -1, 2**63 + 1):
        with pytest.raises(ValueError, match="bound is from 1 to"):
            Random(0).integers(bound, 1)
