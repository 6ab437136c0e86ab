"""From names to targets, and the one line that says what was tried."""

from __future__ import annotations

import functools
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from symmetry.base.errors import SymmetryError
from symmetry.steps.target import StepTarget
from symmetry.targets.resolve import as_step_target, expand, resolve
from symmetry.targets.training import TrainingTarget
from tests.steps.builtin.each import EACH_BUILTIN
from tests.targets.files import message, write


def own_step(x, y, w1, w2, lr):
    return w1, w2


class Own:
    dtypes = ("float64",)

    def __call__(self, x, y, w1, w2, lr):
        return w1, w2

    def method(self, x, y, w1, w2, lr):
        return w1, w2


an_instance = Own()
a_partial = functools.partial(own_step)


# Built-in steps


@pytest.mark.parametrize("name", EACH_BUILTIN)
def test_builtin_steps(name):
    target = resolve(name)
    assert (target.name, target.builtin) == (name, True)
    assert target.dtypes == ("float32", "float64")


def test_a_missing_framework_names_the_extra(folder, monkeypatch):
    for module in ("torch", "jax"):
        monkeypatch.setitem(sys.modules, module, None)
    for module in ("torch", "torch_autograd", "jax"):
        monkeypatch.delitem(sys.modules, f"symmetry.steps.builtin.{module}", raising=False)
    for name, framework in (("torch", "torch"), ("torch-autograd", "torch"), ("jax", "jax")):
        text = message(name)
        assert text.startswith(
            f"'{name}' needs {framework}, which cannot be imported: import of {framework} "
        )
        assert text.endswith(f"(pip install 'unit-symmetry[{framework}]')")


def test_a_broken_framework_is_not_called_missing(folder, monkeypatch):
    write(folder / "jax.py", "raise OSError('libjax.so: undefined symbol')")
    monkeypatch.delitem(sys.modules, "symmetry.steps.builtin.jax", raising=False)
    for name in [m for m in sys.modules if m.partition(".")[0] == "jax"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(folder)
    assert message("jax") == (
        "'jax': importing symmetry.steps.builtin.jax raised OSError: "
        "libjax.so: undefined symbol (jax.py:1)"
    )


def test_no_framework_is_imported_before_it_is_asked_for():
    code = """
        import sys
        import symmetry.targets, symmetry.targets.resolve, symmetry.steps.step
        from symmetry.targets.resolve import resolve
        resolve("os:fdopen")
        heavy = {"torch", "jax", "numba", "hypothesis", "matplotlib"} & set(sys.modules)
        sys.exit(f"imported {heavy}" if heavy else 0)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


# Names of all forms


NOT_THERE = ", a file that is not there"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("", ""),
        ("pytorch", ", did you mean 'torch'?"),
        ("tourch", ", did you mean 'torch'?"),
        ("numpyy", ", did you mean 'numpy'?"),
        ("step", ""),
        (":step", ""),
        ("train:", ""),
        ("train.py:", NOT_THERE),
        ("bda.py:", ", a file that is not there; did you mean bad.py?"),
        ("empty", ", did you mean 'empty.py'?"),
        ("odd_syntax", ", a file that is not valid Python"),
        ("bad", ", did you mean 'bad.py' or 'bad:good' or 'bad:Better'?"),
        ("bad.good", ", did you mean 'bad:good'?"),
        ("bad.py::good", ", did you mean 'bad.py:good'?"),
        ("place", ", a folder"),
        ("place/", ", a folder"),
        ("scripts", ", a folder, did you mean 'scripts/train.py'?"),
        ("book.ipynb:step", ", a notebook: it is checked as a script, without a name behind it"),
    ],
)
def test_names_that_lead_to_no_attribute(folder, name, hint):
    write(folder / "bad.py", "def good(x, y, w1, w2, lr): ...\ndef _no(): ...\nclass Better: ...\n")
    write(folder / "empty.py", "")
    write(folder / "odd_syntax.py", "def step(:")
    (folder / "place").mkdir()
    (folder / "scripts").mkdir()
    write(folder / "scripts" / "train.py", "import torch\nfor x in []:\n    x.backward()\n")
    assert message(name) == (
        f"unknown target {name!r}{hint}{' Expected' if hint.endswith('?') else ': expected'} "
        "a script such as train.py, "
        "package.module:attribute, path/to/file.py:attribute, or one of jax, numba, numpy, "
        "torch, torch-autograd"
    )


def test_dotted_attributes(folder):
    write(
        folder / "train.py",
        """
        class Steps:
            class Adam:
                def __call__(self, x, y, w1, w2, lr): return w1, w2
            instance = Adam()
        """,
    )
    assert resolve("train.py:Steps.Adam").target.__qualname__ == "Steps.Adam"
    assert callable(resolve("train:Steps.instance").target)


def test_missing_attribute(folder):
    write(folder / "train.py", "def _help(): pass\nclass Steps:\n    sgd = print\n")
    assert message("train.py:steps") == (
        "'train.py:steps': train.py has no attribute 'steps', did you mean 'Steps'?"
    )
    assert message("train.py:sgd") == (
        "'train.py:sgd': train.py has no attribute 'sgd', did you mean 'Steps'?"
    )
    assert message("train:Steps.adam") == (
        "'train:Steps.adam': train:Steps has no attribute 'adam'"
    )
    assert message("train:Steps..sgd").endswith("train:Steps has no attribute ''")


@pytest.mark.parametrize(
    ("value", "kind"), [("3", "int"), ("None", "NoneType"), ("__import__('json')", "module")]
)
def test_attribute_that_is_not_callable(folder, value, kind):
    write(folder / "train.py", f"step = {value}")
    assert message("train.py:step") == (
        f"'train.py:step' is of type {kind}, expected a two-layer step, called as "
        "step(x, y, w1, w2, lr), or a training, a function without parameters that returns "
        "(model, step)"
    )


@pytest.mark.parametrize("signature", ["a", "x, y, w1, w2", "x, y, w1, w2, lr, more", "*, lr"])
def test_a_function_of_other_arguments_is_told_both_signatures(folder, signature):
    write(folder / "train.py", f"def step({signature}): ...")
    assert message("train.py:step") == (
        f"'train.py:step' takes ({signature}), expected a two-layer step, called as "
        "step(x, y, w1, w2, lr), or a training, a function without parameters that returns "
        "(model, step)"
    )


@pytest.mark.parametrize("signature", ["", "width=3", "**options"])
def test_a_function_without_required_parameters_is_a_training(folder, signature):
    write(folder / "train.py", f"def training({signature}): ...")
    target = resolve("train.py:training")
    assert isinstance(target, TrainingTarget)
    assert target.name == "train.py:training"


def test_class_without_call(folder):
    write(folder / "train.py", "class Step:\n    def step(self): ...\n")
    assert message("train.py:Step") == (
        "'train.py:Step' is a class whose instances cannot be called: "
        "give it a method __call__(self, x, y, w1, w2, lr)"
    )


# Callables, and the attribute dtypes


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (own_step, "own_step"),
        (Own, "Own"),
        (an_instance, "an_instance"),
        (an_instance.method, "Own.method"),
        (lambda x, y, w1, w2, lr: (w1, w2), "<lambda>"),
    ],
)
def test_callables_are_named_by_where_they_can_be_found(step, name):
    assert as_step_target(step).name == f"tests.targets.test_resolve:{name}"
    assert resolve(step).target is as_step_target(step).target
    assert as_step_target(step, "mine").name == "mine"
    assert not as_step_target(step).builtin


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (("float32",), ("float32",)),
        (["float64", "float32"], ("float32", "float64")),
        ({"float64"}, ("float64",)),
        ((np.float32, np.dtype("float64")), ("float32", "float64")),
    ],
)
def test_dtypes_in_the_forms_that_people_write(given, read):
    class Step(Own):
        dtypes = given

    assert as_step_target(Step).dtypes == read


@pytest.mark.parametrize(
    "given", ["float32", (), None, 32, ("float16",), ("float32", "double"), (None,), property(len)]
)
def test_dtypes_that_are_not_understood(given):
    class Step(Own):
        dtypes = given

    with pytest.raises(SymmetryError) as info:
        as_step_target(Step, "mine")
    assert str(info.value).startswith(
        "'mine': its attribute dtypes must be a tuple out of 'float32' and 'float64', "
        "such as ('float32',), but it is "
    )
    if isinstance(given, str | tuple):
        assert str(info.value).endswith(repr(given))


# Generators of targets

YIELDING = """
    def step(x, y, w1, w2, lr):
        return w1, w2

    def steps():
        yield "first", step
        yield "second-one", lambda x, y, w1, w2, lr: (w1, w2)

    def wrong():
        yield step

    def failing():
        yield "first", step
        raise ValueError("no more")
"""


def test_a_generator_stands_for_all_that_it_yields(folder):
    write(folder / "zoo.py", YIELDING)
    names = ("zoo.py:steps:first", "zoo.py:steps:second-one")
    assert expand("zoo.py:steps") == (names, ())
    assert expand("zoo.py:steps:sec*") == (names[1:], ())
    assert expand("zoo.py:step") == (("zoo.py:step",), ())
    assert resolve(names[0]).name == names[0]
    assert isinstance(resolve(names[1]), StepTarget)


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("zoo.py:steps", "'zoo.py:steps' yields trainings: name one, as 'zoo.py:steps:NAME'"),
        ("zoo.py:steps:frist", "no training is yielded under this name, did you mean 'first'?"),
        ("zoo.py:step:first", "it is no generator function, so it yields no 'first'"),
        ("zoo.py:wrong:first", ", not (name, training)"),
        ("zoo.py:failing:second", "yielding the next training raised ValueError: no more"),
    ],
)
def test_what_a_generator_does_not_yield(folder, name, phrase):
    write(folder / "zoo.py", YIELDING)
    assert phrase in message(name)


def test_a_pattern_that_fits_nothing_that_is_yielded(folder):
    write(folder / "zoo.py", YIELDING)
    with pytest.raises(SymmetryError, match="nothing to check in"):
        expand("zoo.py:steps:third*")
