"""Comparing trainings: what is the same, what is not, and where it first differs."""

from __future__ import annotations

import json
from contextlib import chdir
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.conftest import slow

HERE = "tests.comparison.trainings:"
FOLDER = Path(__file__).parent
PYTORCH = tuple(map(int, version("torch").split(".")[:2]))


def compare(first: str, *others: str, **options: object):
    from symmetry import compare

    return compare(HERE + first, *(HERE + other for other in others), **options)


SAME = ("training", "sdpa", "accumulated")
OTHERWISE = ("unfused", "wrapped")
OTHERS = {  # the phase, the module, and the line that made what differs
    "other_data": ("data", None, "x = torch.randn(SAMPLES, 3, WIDTH, generator=generator)"),
    "wrong_scale": ("forward", "attention", "return (q @ k.mT / WIDTH).softmax(-1) @ v"),
    "mean_of_means": ("loss", None, "(loss / (count if mean_of_means else total)).backward()"),
    "wrong_backward": (
        "backward",
        "",
        "return self.head(self.between(F.gelu(self.fc(x)))).mean(1)",
    ),
    "clipped": ("gradient", None, "nn.utils.clip_grad_norm_(model.parameters(), clip)"),
    "other_eps": ("update", None, "update.step()"),
}
QUICK = ("wrong_scale", "other_eps")
TEXTS = {
    "wrong_scale": "attention.out is given another input",
    "mean_of_means": "): the outputs of all 9 modules agree, the gradient of the model does not",
    "wrong_backward": "the backward of step 1 between head and fc: the gradient of fc differs",
    "other_eps": "(eps of AdamW is 1e-06, not 1e-08)",
}
LINES = (FOLDER / "trainings.py").read_text().splitlines()


@pytest.fixture(autouse=True, scope="module")
def here():
    """Work in a small folder: for an import all files of the working folder are mirrored."""
    with chdir(FOLDER):
        yield


@pytest.fixture(scope="module")
def others():
    return compare("training", *QUICK, "sdpa", dtype="float64")


@pytest.mark.parametrize("names", [SAME, slow((*SAME, *OTHERWISE))], ids=["few", "all"])
def test_the_same(names):
    same = compare("training", *names)
    assert same, repr(same)
    assert same.first is None
    assert same.ratios.keys() == {"float32", "float64"}
    assert max(same.ratios.values()) < 5
    assert repr(same).count("is the same training as") == len(names)


@pytest.mark.parametrize("name", [name if name in QUICK else slow(name) for name in OTHERS])
def test_what_differs_is_named(others, name):
    found = others if name in QUICK else compare("training", name, dtype="float64")
    other = next(other for other in found.others if other.name == HERE + name)
    phase, module, line = OTHERS[name]
    assert not other.same
    first = other.first
    assert (first.phase, first.module, first.step) == (phase, module, 1)
    assert (first.file, LINES[first.line - 1].strip()) == ("trainings.py", line)
    assert other.results[0].ratio > 1e4
    assert TEXTS.get(name, "") in repr(found)


def test_the_texts(others):
    text = repr(others)
    assert not others
    assert "is another training than" in text
    assert "between attention.v and attention.out: attention.out is given another input" in text
    assert f": {HERE}wrong_scale is another training than {HERE}training" in text
    assert text.startswith("trainings.py:")
    assert others._repr_html_().startswith("<pre>")


@pytest.mark.slow
def test_precision_is_told():
    found = compare("training", "in_half")
    assert not found
    assert "in float32 only: precision, not the method" in repr(found)


@pytest.mark.slow
def test_random_numbers():
    others, less = compare("drops", "drops_others", "drops_less", dtype="float64").others
    assert (others.same, less.same) == (True, False)
    assert others.notes == ("they draw other random numbers: compared with the same ones",)
    note = "random operations are given other numbers: keeps 0.8; the reference's keeps 0.5"
    assert less.notes == (note,)
    assert (less.first.phase, less.first.module) == ("forward", "")


@pytest.mark.slow
def test_random_numbers_in_parts_and_in_another_order():
    parts, turned = compare("drops", "drops_in_parts", "drops_turned", dtype="float64").others
    assert (parts.same, turned.same) == (True, True)
    assert parts.notes == ()  # they are the same numbers
    (note,) = turned.notes
    assert note.startswith("compared with the means of random operations, which draw in other")
    assert note.endswith(
        "given the same numbers (keeps 0.5); what multiplies noise is not compared"
    )


@pytest.mark.slow
def test_noise_of_another_size_is_seen():
    assert not compare("noisy", "noisier", dtype="float64")


@pytest.mark.slow
def test_numbers_that_are_not_finite():
    assert not compare("training", "poisoned")
    found = compare("poisoned", "poisoned")
    assert found
    assert "after step 2 both have numbers that are not finite" in repr(found)


@pytest.mark.skipif(PYTORCH >= (2, 14), reason="this PyTorch compiles a Sequential")
def test_what_compiles_nothing_is_told():
    found = compare("compiled_in_place", "compiled_in_place", dtype="float32")
    assert found
    assert "calls compile(), and torch.compile finds nothing in it to compile" in repr(found)


def test_the_json(others):
    found = json.loads(others.to_json())
    assert found["reference"] == HERE + "training"
    *_, other, same = found["others"]
    assert (other["name"], other["same"], same["same"]) == (HERE + "other_eps", False, True)
    assert {*other["first"]} >= {"phase", "module", "file", "line", "step", "text"}
    assert other["first"]["reference_line"] is None
    assert {"dtype", "step", "array", "ratio", "threshold"} <= {*other["results"][0]}
    assert other["only_in_reference"] == other["only_in_other"] == []


def test_a_training_that_raises_is_the_outcome():
    found = compare("training", "raising")
    assert not found
    assert found.others[0].error.startswith("step(0) raised ValueError: no more (trainings.py:")


@pytest.mark.parametrize(
    ("first", "other", "phrase"),
    [
        ("raising", "training", "the reference does not run: step(0) raised ValueError"),
        (
            "unseeded",
            "training",
            "does not repeat itself: a second run gives another model",
        ),
        ("training", "unrelated", "have no parameter in common"),
        ("training", "wide", "model.fc.weight has the shape (12, 6) in"),
    ],
)
def test_what_cannot_be_compared(first, other, phrase):
    from symmetry import SymmetryError

    with pytest.raises(SymmetryError) as raised:
        compare(first, other)
    assert phrase in str(raised.value)
    assert "\n" not in str(raised.value)


def test_nothing_can_be_judged():
    found = compare("still", "still", dtype="float32")
    assert not found
    assert found.others[0].same is None
    assert "could not be compared with" in repr(found)
    assert "cannot judge: nothing moves" in repr(found)


def test_steps_and_trainings_are_not_compared():
    from symmetry import SymmetryError, compare

    for targets, phrase in (
        (("numpy", HERE + "training"), "numpy is a two-layer step and tests.comparison.train"),
        ((HERE + "training",), "give at least two targets"),
    ):
        with pytest.raises(SymmetryError, match=phrase):
            compare(*targets)


def test_options_that_make_no_sense():
    from symmetry import SymmetryError

    for options, phrase in (
        ({"steps": 0}, "steps must be an integer of at least 1, not 0"),
        ({"dtype": "float16"}, "dtype must be one of float32, float64"),
        ({"rename": "a"}, "a renaming is PATTERN=REPLACEMENT, not 'a'"),
        ({"rename": "(=b"}, "cannot rename by '(=b'"),
    ):
        with pytest.raises(SymmetryError) as raised:
            compare("training", "sdpa", **options)
        assert phrase in str(raised.value)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_pair_that_agrees_takes_few_steps(dtype):
    from symmetry import compare
    from tests.comparison.trainings import sdpa, training

    taken = []

    def counted(make):
        def counting():
            model, step = make()

            def count(i):
                taken.append(i)
                step(i)

            return model, count

        return counting

    assert compare(counted(training), counted(sdpa), dtype=dtype)
    assert len(taken) <= 24  # of both, the repeated run and four perturbed ones among them
