from __future__ import annotations

import pytest

from symmetry.comparison.subject import THREAD_VARIABLES, Subject, parse_subject, parse_subjects
from symmetry.errors import SymmetryError


def test_a_name_alone() -> None:
    assert parse_subject("numpy") == Subject("numpy", "numpy")
    assert parse_subject("a/b.py:Step") == Subject("a/b.py:Step", "a/b.py:Step")


def test_settings() -> None:
    subject = parse_subject("torch[MKL_CBWR=AVX2,deterministic, threads=3,A=]")
    assert subject.trainer == "torch"
    assert subject.variables == (("MKL_CBWR", "AVX2"), ("A", ""))
    assert subject.threads == 3
    assert subject.deterministic


def test_a_value_may_hold_commas_and_equals_signs() -> None:
    assert parse_subject("torch[MKL_CBWR=AVX2,STRICT,A=1]").variables == (
        ("MKL_CBWR", "AVX2,STRICT"),
        ("A", "1"),
    )
    flags = "XLA_FLAGS=--xla_a=b --xla_c=d"
    assert parse_subject(f"jax[{flags}]").variables == (("XLA_FLAGS", "--xla_a=b --xla_c=d"),)


def test_the_environment_of_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert parse_subject("numpy").environment(None)["OMP_NUM_THREADS"] == "7"
    limited = parse_subject("numpy").environment(2)
    assert {limited[name] for name in THREAD_VARIABLES} == {"2"}
    own = parse_subject("numpy[threads=3,MKL_NUM_THREADS=4]").environment(2)
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
        parse_subject(name)
    assert phrase in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_must_differ() -> None:
    assert len(parse_subjects(("numpy", "numpy[threads=1]"))) == 2
    with pytest.raises(SymmetryError, match="'numpy' is named 2 times"):
        parse_subjects(("numpy", "numba", "numpy"))
