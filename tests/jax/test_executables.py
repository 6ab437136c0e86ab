"""Programs are compiled once, and quickly where they are not judged as they are written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import pytest

from symmetry.base.calls import running
from symmetry.jax.script.script import JaxScript
from symmetry.sandbox.source import Source
from symmetry.training.capabilities.drawing import Drawing, Keyed
from symmetry.training.run import RunSettings, needed
from tests.conftest import needs
from tests.jax.script.test_script import HEAD, LOOP

pytestmark = needs("jax")


@contextmanager
def compiling() -> Iterator[list[str]]:
    """Collect the names of the programs that are compiled."""
    from jax._src import compiler

    original, names = compiler.backend_compile_and_load, list[str]()

    def compiled(backend, module, *more, **named):
        names.append(str(module.operation.attributes["sym_name"]).strip('"'))
        return original(backend, module, *more, **named)

    with patch.object(compiler, "backend_compile_and_load", compiled):
        yield names


def test_a_program_that_other_functions_have_is_compiled_once():
    import jax

    from symmetry.jax.executables import Executables

    def doubled(factor):
        def double(x):
            return x * factor

        return jax.jit(double)(np.ones(3))

    executables = Executables()
    with compiling() as names:
        with executables.known():
            assert [float(doubled(factor)[0]) for factor in (2, 2, 3)] == [2, 2, 3]
        assert names.count("jit_double") == 2
        doubled(2)
        assert names.count("jit_double") == 3  # what is done outside is as ever


def test_functions_of_python_in_a_program_are_not_taken_for_one_another():
    import jax

    from symmetry.jax.executables import Executables

    def through(function):
        shape = jax.ShapeDtypeStruct((), np.float32)
        return float(jax.jit(lambda x: jax.pure_callback(function, shape, x))(np.float32(2)))

    with Executables().known():
        assert [through(lambda x: x + 1), through(lambda x: x * 5)] == [3, 10]


def test_what_is_compiled_quickly_can_be_differentiated():
    import jax

    from symmetry.jax.executables import quickly

    square = quickly(lambda x: x * x)
    assert float(square(3.0)) == 9
    assert float(jax.grad(square)(3.0)) == 6


@pytest.fixture
def training(tmp_path) -> Iterator[JaxScript]:
    (file := tmp_path / "train.py").write_text(HEAD + LOOP)
    source = Source("train.py", file, (), folder=tmp_path)
    made = JaxScript(source)
    yield made
    made.close()


def test_a_script_compiles_its_step_once_for_all_its_starts(training):
    with compiling() as names:
        runs = [
            training.begin(RunSettings(dtype=dtype)) for dtype in ("float32", "float64", "float32")
        ]
        for run in runs:
            run.step()
    assert names.count("jit_step") == 1
    assert {*runs[0].capability(Drawing).unseeded} == set()  # the name of its mirror is none


def test_to_leave_noise_out_is_another_program_only_where_there_is_noise(training):
    run, quiet = (training.begin(RunSettings(noise=noise)) for noise in (True, False))
    run.step()
    with compiling() as names:
        quiet.step()
    assert names == []
    assert needed(quiet, Keyed).noise() == []


def test_a_first_step_which_compiles_is_not_in_the_pace_of_runs():
    from symmetry.jax.begin import begin

    run = begin("a name of its own", lambda: (np.ones(3, "float32"), lambda w, i: (w / 2, w.sum())))
    spent = running.spent
    run.step()
    assert running.spent == spent
    run.step()
    assert running.spent > spent
