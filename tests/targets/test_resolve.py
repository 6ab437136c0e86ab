"""From names to trainers, and the one line that says what was tried."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from symmetry.base.errors import SymmetryError
from symmetry.steps.step import StepTarget
from symmetry.targets.resolve import as_step_target, resolve, resolve_step
from symmetry.trainings.training import TrainingTarget
from tests.builtin.each import EACH_BUILTIN
from tests.conftest import needs


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory; the import path and what was imported are put back."""
    path, modules = list(sys.path), dict(sys.modules)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]
    sys.modules.update(modules)


def write(path, text="def step(x, y, w1, w2, lr):\n    return w1, w2\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def message(name) -> str:
    with pytest.raises(SymmetryError) as info:
        resolve(name)
    assert "\n" not in str(info.value)
    assert len(str(info.value)) < 600
    return str(info.value)


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


# Built-in trainers


@pytest.mark.parametrize("name", EACH_BUILTIN)
def test_builtin_trainers(name):
    trainer = resolve(name)
    assert (trainer.name, trainer.builtin) == (name, True)
    assert trainer.dtypes == ("float32", "float64")


def test_a_missing_framework_names_the_extra(folder, monkeypatch):
    for module in ("torch", "jax"):
        monkeypatch.setitem(sys.modules, module, None)
    for module in ("torch", "torch_autograd", "jax"):
        monkeypatch.delitem(sys.modules, f"symmetry.builtin.{module}", raising=False)
    for name, framework in (("torch", "torch"), ("torch-autograd", "torch"), ("jax", "jax")):
        text = message(name)
        assert text.startswith(
            f"'{name}' needs {framework}, which cannot be imported: import of {framework} "
        )
        assert text.endswith(f"(pip install 'unit-symmetry[{framework}]')")


def test_a_broken_framework_is_not_called_missing(folder, monkeypatch):
    write(folder / "jax.py", "raise OSError('libjax.so: undefined symbol')")
    monkeypatch.delitem(sys.modules, "symmetry.builtin.jax", raising=False)
    for name in [m for m in sys.modules if m.partition(".")[0] == "jax"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(folder)
    assert message("jax") == (
        "'jax': importing symmetry.builtin.jax raised OSError: "
        "libjax.so: undefined symbol (jax.py, line 1)"
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
        ("empty", ", a file that defines nothing"),
        ("odd_syntax", ", a file that is not valid Python"),
        ("bad", ", did you mean 'bad:good' or 'bad:Better'?"),
        ("bad.good", ", did you mean 'bad:good'?"),
        ("bad.py::good", ", did you mean 'bad.py:good'?"),
        ("place", ", a folder"),
        ("place/", ", a folder"),
        ("book.ipynb:step", ", a notebook: export it as a Python file first"),
    ],
)
def test_names_that_lead_to_no_attribute(folder, name, hint):
    write(folder / "bad.py", "def good(x, y, w1, w2, lr): ...\ndef _no(): ...\nclass Better: ...\n")
    write(folder / "empty.py", "")
    write(folder / "odd_syntax.py", "def step(:")
    (folder / "place").mkdir()
    assert message(name) == (
        f"unknown target {name!r}{hint}: expected one of numba, numpy, torch, torch-autograd, jax, "
        "or package.module:attribute, or path/to/file.py:attribute"
    )


@pytest.mark.parametrize("source", ["path/to/file", "my-module", "..train", "a..b", "train.pyc "])
def test_sources_that_are_neither_module_nor_file(source):
    assert message(f"{source}:step") == (
        f"'{source}:step': {source} is neither a module such as package.module "
        "nor a Python file such as path/to/file.py"
    )


def test_module_in_the_working_directory(folder):
    write(folder / "mine" / "__init__.py", "")
    write(folder / "mine" / "train.py")
    trainer = resolve("mine.train:step")
    assert (trainer.name, trainer.target) == ("mine.train:step", sys.modules["mine.train"].step)
    assert not trainer.builtin


def test_module_in_the_working_directory_comes_first(folder, monkeypatch):
    write(folder / "elsewhere" / "train_here.py", "step = None")
    write(folder / "train_here.py")
    monkeypatch.syspath_prepend(folder / "elsewhere")
    sys.path.append(str(folder))
    assert callable(resolve("train_here:step").target)


def test_file_by_relative_and_by_absolute_path(folder):
    file = write(folder / "some place" / "my-train.py")
    for name in ("some place/my-train.py:step", f"{file}:step", "./some place/my-train.py:step"):
        trainer = resolve(name)
        assert trainer.name == name
        assert trainer.target.__code__.co_filename == str(file.resolve())


def test_file_imports_what_lies_beside_it_now_and_later(folder):
    write(folder / "place" / "beside.py", "value = 1")
    write(folder / "place" / "beside_later.py", "value = 2")
    write(
        folder / "place" / "train.py",
        """
        from beside import value
        def step(x, y, w1, w2, lr):
            import beside_later
            return value, beside_later.value
        """,
    )
    trainer = resolve("place/train.py:step")
    assert sys.path[0] == str(folder / "place")
    assert trainer.target(0, 0, 0, 0, 0) == (1, 2)


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


def test_file_in_a_package_may_use_relative_imports_and_names_of_frameworks(folder):
    write(folder / "pkg" / "__init__.py", "")
    write(folder / "pkg" / "sub" / "__init__.py", "")
    write(folder / "pkg" / "base.py", "value = 5")
    write(folder / "pkg" / "sub" / "decimal.py", "raise RuntimeError('not the real decimal')")
    write(folder / "pkg" / "sub" / "beside.py", "value = 6")
    write(
        folder / "pkg" / "sub" / "train.py",
        """
        import decimal
        import beside
        from ..base import value
        def step(x, y, w1, w2, lr): return value, beside.value, decimal.Decimal(7)
        """,
    )
    sys.modules.pop("decimal", None)
    trainer = resolve("pkg/sub/train.py:step")
    assert trainer.target(0, 0, 0, 0, 0) == (5, 6, 7)
    assert trainer.target.__module__ == "pkg.sub.train"


def test_file_named_like_a_module_that_is_in_use(folder):
    import json

    write(folder / "json.py")
    assert resolve("json.py:step").target.__module__ == "json_"
    assert sys.modules["json"] is json


def test_file_with_dataclasses(folder):
    write(
        folder / "train.py",
        """
        from __future__ import annotations
        from dataclasses import dataclass
        @dataclass
        class Step:
            calls: int = 0
            def __call__(self, x, y, w1, w2, lr): return w1, w2
        """,
    )
    assert resolve("train.py:Step").start().step.calls == 0


def test_a_changed_file_is_read_again(folder):
    file = write(folder / "train.py", "def step(x, y, w1, w2, lr): return 1")
    assert resolve("train.py:step").target(0, 0, 0, 0, 0) == 1
    stamp = file.stat().st_mtime
    write(file, "def step(x, y, w1, w2, lr): return 2")
    os.utime(file, (stamp, stamp))
    assert resolve("train.py:step").target(0, 0, 0, 0, 0) == 2
    assert not (folder / "__pycache__").exists()


def test_two_versions_of_a_program_keep_to_their_own_modules(folder):
    for version in ("old", "new"):
        write(folder / version / "model.py", f"value = {version!r}")
        write(folder / version / "layers" / "__init__.py", "")
        write(folder / version / "layers" / "dense.py", f"value = {version!r}")
        write(
            folder / version / "train.py",
            """
            import layers.dense, model
            def step(x, y, w1, w2, lr): return model.value, layers.dense.value
            """,
        )
    old, new = resolve("old/train.py:step"), resolve("new/train.py:step")
    assert old.target(0, 0, 0, 0, 0) == ("old", "old")
    assert new.target(0, 0, 0, 0, 0) == ("new", "new")


# What goes wrong with them


def test_missing_module(folder):
    assert message("nowhere.train:step") == (
        f"'nowhere.train:step': No module named 'nowhere' "
        f"(looked in {folder} first, then where Python looks)"
    )
    write(folder / "flat.py")
    assert message("flat.train:step").startswith(
        "'flat.train:step': No module named 'flat.train'; 'flat' is not a package (looked "
    )


def test_missing_file(folder):
    assert message("nowhere/train.py:step") == (
        f"'nowhere/train.py:step': there is no file {folder / 'nowhere' / 'train.py'}"
    )
    (folder / "folder.py").mkdir()
    assert "there is no file" in message("folder.py:step")


def test_a_folder_is_no_module(folder):
    (folder / "place").mkdir()
    assert message("place:step") == (
        "'place:step': place is a folder, expected a Python file in it"
    )


def test_links_in_a_circle_lead_to_no_file(folder):
    (folder / "loop.py").symlink_to("loop.py")
    assert "no file" in message("loop.py:step")


@pytest.mark.parametrize("source", ["train.py", "train"])
@pytest.mark.parametrize(
    ("text", "raised"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero (train.py, line 1)"),
        ("\nraise SystemExit", "SystemExit (train.py, line 2)"),
        ("import sys; sys.exit('usage:\\nno')", "SystemExit: usage: (train.py, line 1)"),
        ("import not_there", "ModuleNotFoundError: No module named 'not_there' (train.py, line 1)"),
        ("def step(:", "SyntaxError: invalid syntax (train.py, line 1)"),
        ("class E(BaseException): ...\nraise E", "E (train.py, line 2)"),
    ],
)
def test_import_that_raises(folder, source, text, raised):
    write(folder / "train.py", text)
    assert message(f"{source}:step") == (f"'{source}:step': importing {source} raised {raised}")
    assert "train" not in sys.modules


def test_import_may_warn(folder):
    write(
        folder / "train.py",
        """
        import warnings
        warnings.warn("outdated", DeprecationWarning)
        import numpy
        numpy.float32(1) / numpy.float32(0)
        from os import fdopen as step
        """,
    )
    resolve("train.py:step")


def test_ctrl_c_while_importing_passes(folder):
    write(folder / "train.py", "raise KeyboardInterrupt")
    for name in ("train.py:step", "train:step"):
        with pytest.raises(KeyboardInterrupt):
            resolve(name)


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


def test_attribute_that_raises(folder):
    write(folder / "train.py", "def __getattr__(name):\n    raise ValueError('lazy')\n")
    assert message("train.py:step") == (
        "'train.py:step': reading 'step' of train.py raised ValueError: lazy (train.py, line 2)"
    )


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


@needs("torch")
@pytest.mark.parametrize("name", ["Model", "model"])
def test_a_model_is_neither_a_step_nor_a_training(folder, name):
    write(
        folder / "train.py",
        """
        from torch import nn
        class Model(nn.Module):
            def forward(self, pixels): return pixels
        model = Model()
        """,
    )
    assert message(f"train.py:{name}").startswith(
        f"'train.py:{name}' takes (pixels), expected a two-layer step, called as "
    )


@pytest.mark.parametrize("signature", ["", "width=3", "**options"])
def test_a_function_without_required_parameters_is_a_training(folder, signature):
    write(folder / "train.py", f"def training({signature}): ...")
    target = resolve("train.py:training")
    assert isinstance(target, TrainingTarget)
    assert target.name == "train.py:training"
    with pytest.raises(SymmetryError, match=r"is a training, expected a step, called as step\(x"):
        resolve_step("train.py:training")


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


def test_partial_is_called_as_it_is():
    assert as_step_target(a_partial).start().step is a_partial


def test_trainer_is_taken_as_it_is():
    trainer = StepTarget("mine", own_step, ("float32",))
    assert resolve(trainer) is trainer


def test_dtypes_are_read_from_a_class_and_from_an_instance():
    assert as_step_target(Own).dtypes == ("float64",)
    assert as_step_target(Own()).dtypes == ("float64",)
    assert as_step_target(own_step).dtypes == ("float32", "float64")


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
