from __future__ import annotations

import pytest

from symmetry.base.errors import SymmetryError
from tests.studies.frameworks.entrant import (
    THREAD_VARIABLES,
    Entrant,
    parse_entrant,
    parse_entrants,
)


def test_a_name_alone() -> None:
    assert parse_entrant("numpy") == Entrant("numpy", "numpy")
    assert parse_entrant("a/b.py:Step") == Entrant("a/b.py:Step", "a/b.py:Step")


def test_settings() -> None:
    entrant = parse_entrant("torch[MKL_CBWR=AVX2,deterministic, threads=3,A=]")
    assert entrant.trainer == "torch"
    assert entrant.variables == (("MKL_CBWR", "AVX2"), ("A", ""))
    assert entrant.threads == 3
    assert entrant.deterministic


def test_a_value_may_hold_commas_and_equals_signs() -> None:
    assert parse_entrant("torch[MKL_CBWR=AVX2,STRICT,A=1]").variables == (
        ("MKL_CBWR", "AVX2,STRICT"),
        ("A", "1"),
    )
    flags = "XLA_FLAGS=--xla_a=b --xla_c=d"
    assert parse_entrant(f"jax[{flags}]").variables == (("XLA_FLAGS", "--xla_a=b --xla_c=d"),)


def test_the_environment_of_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert parse_entrant("numpy").environment(None)["OMP_NUM_THREADS"] == "7"
    limited = parse_entrant("numpy").environment(2)
    assert {limited[name] for name in THREAD_VARIABLES} == {"2"}
    own = parse_entrant("numpy[threads=3,MKL_NUM_THREADS=4]").environment(2)
    assert own["OMP_NUM_THREADS"] == "3"
    assert own["MKL_NUM_THREADS"] == "4"


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("", "needs a name"),
        (" ", "needs a name"),
        ("torch[", "at the end"),
        ("torch]", "at the end"),
        ("[A=1]", "at the end"),
        ("torch[A=1]x", "at the end"),
        ("torch[]", "NAME=VALUE"),
        ("torch[determinstic]", "'determinstic'"),
        ("torch[A=1,determinstic]", "'determinstic'"),
        ("torch[1A=1]", "NAME=VALUE"),
        ("torch[A=\0]", "NAME=VALUE"),
        ("numpy[deterministic]", "PyTorch only"),
        ("torch[threads=0]", "number of threads"),
        ("torch[threads=two]", "number of threads"),
        ("torch[threads=1234567]", "number of threads"),
    ],
)
def test_what_cannot_be_meant_is_said_in_one_line(name: str, phrase: str) -> None:
    with pytest.raises(SymmetryError) as caught:
        parse_entrant(name)
    assert phrase in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_must_differ() -> None:
    assert len(parse_entrants(("numpy", "numpy[threads=1]"))) == 2
    with pytest.raises(SymmetryError, match="'numpy' is named 2 times"):
        parse_entrants(("numpy", "numba", "numpy"))
