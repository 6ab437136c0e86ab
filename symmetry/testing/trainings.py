"""Trainers in pytest: one test for each invariant, and all of them share the trainer's runs.

from symmetry import check_training

@check_training(only=["loss/*", "symmetry/samples"], budget=6)
def test_trainer(tmp_path):
    return Trainer(model=tiny_model(), args=TrainingArguments(tmp_path, ...), ...)
"""

from __future__ import annotations

import inspect
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import pytest

from symmetry import session
from symmetry.base.errors import SymmetryError
from symmetry.base.libraries import loop_of
from symmetry.base.raised import raised_as
from symmetry.checker.declaration import takes
from symmetry.checker.options import Keywords, Options
from symmetry.law.invariant import Invariant
from symmetry.targets.resolve import as_target, resolve_training
from symmetry.targets.returned import returned_training
from symmetry.testing.outcome import end_test
from symmetry.training.target import FunctionTraining

_INVARIANT = "invariant"  # the argument of the test that the decorator adds


@takes(Options, Keywords)
def check_training(
    function: Callable[..., Any] | str | None = None,
    **options: Unpack[Keywords],
) -> Any:
    """Turn a function or a fixture that makes a training into one test for each invariant.

    A function has the name of a test, and its parameters are fixtures. From a fixture the test is
    made beside it: ``test_trainer = check_training(trainer, budget=6)``. It returns one of these:

    - a ``Trainer`` of transformers, or of a library that is built on it, as an ``SFTTrainer``;
    - a ``Trainer`` of Lightning, a module, and their data, in a tuple: the arguments of ``fit``;
    - a function without parameters that trains, such as a loop with accelerate;
    - ``(model, step)``, as ``symmetry.check`` takes it;
    - anything else, if the function trains by itself.

    It is called many times, and stopped after a few updates; each call gets copies of the values
    that fixtures have in the first test, and runs as scripts do: what it writes changes no file.
    A test fails as those of ``parametrize_invariants`` do, and is skipped where its invariant can
    say nothing. The properties of each test, as in JUnit's XML, say what was judged.

    Parameters
    ----------
    function
        The function, or a fixture, if this is no decorator with options. Or ``"hf-tiny:NAME"``, for
        a model type of transformers such as gpt2: ``test_gpt2 = check_training("hf-tiny:gpt2")``
        trains one that is made small from its configuration, without a download.
    **options
        As ``symmetry.check`` takes them. The ``budget`` is for one test in the mean: all
        tests of the function share the sum, and those that come too late are skipped.

    Examples
    --------
    >>> @check_training(only="symmetry/samples", budget=6)
    ... def test_loop():
    ...     model = torch.nn.Linear(3, 1)
    ...     optimizer = torch.optim.SGD(model.parameters(), 0.1)
    ...     for x, y in DataLoader(dataset, batch_size=4):
    ...         ...
    """

    def decorate(function: Callable[..., Any] | str) -> Callable[..., Any]:
        try:
            if isinstance(function, str):
                function = _named(function)
            return _parametrized(function, Options(**options))
        except SymmetryError as error:
            # Pytest prints the message of this exception alone, without a traceback.
            raise pytest.Collector.CollectError(str(error)) from None

    return decorate if function is None else decorate(function)


def _named(name: str) -> Callable[..., Any]:
    """Return a function that makes the training of a name."""
    training = resolve_training(name, "check_training is for trainings").training
    if not isinstance(training, FunctionTraining):
        raise SymmetryError(f"{name!r} is a script: pytest --symmetry {name} tests it")

    def made() -> Any:
        return training.make()

    made.__name__ = made.__qualname__ = name
    made.__doc__ = f"Check {name}."
    return made


def _parametrized(given: Callable[..., Any], options: Options) -> Callable[..., Any]:
    function = inspect.unwrap(given)  # of a fixture
    file = Path(function.__code__.co_filename)
    name = f"{os.path.relpath(file)}::{function.__name__}"
    plan = session.plan_check(as_target(FunctionTraining(name, function)), options)
    if options.budget is not None:
        options = replace(options, budget=options.budget * len(plan.invariants))
    tests = _Tests(function, name, file, options)

    def test(request: pytest.FixtureRequest, **arguments: Any) -> None:
        invariant = arguments.pop(_INVARIANT)
        own = {known.name: request} if known.name in fixtures else {}
        tests.run(request, invariant, {**arguments, **own})

    fixtures = inspect.signature(function).parameters
    known = inspect.signature(test).parameters["request"]
    named = inspect.Parameter(_INVARIANT, inspect.Parameter.KEYWORD_ONLY)
    shown = [p.replace(kind=p.KEYWORD_ONLY) for p in fixtures.values() if p.name != known.name]
    test.__signature__ = inspect.Signature([known, *shown, named])  # type: ignore[attr-defined]
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(test, attribute, getattr(function, attribute))
    test.pytestmark = [*getattr(function, "pytestmark", ())]  # type: ignore[attr-defined]
    checked = [pytest.param(each, id=each.name) for each in plan.invariants]
    tested: Callable[..., Any] = pytest.mark.parametrize(_INVARIANT, checked)(test)
    return tested


class _Tests:
    """The tests of one function.

    They share a check for each set of parameters that the function is tested with.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        file: Path,
        options: Options,
    ) -> None:
        yields = inspect.isgeneratorfunction(function)
        self._make = contextmanager(function) if yields else function
        self._name, self._file = name, file
        self._options = options
        self._checks: dict[str, session.SharedCheck] = {}
        self._refused: dict[str, SymmetryError] = {}

    def run(
        self, request: pytest.FixtureRequest, invariant: Invariant, arguments: Mapping[str, Any]
    ) -> None:
        """Run the test of one invariant."""
        refused = ""
        try:
            check = self._check(request, arguments)
            checked = check.of(invariant)
        except SymmetryError as error:
            refused = str(error)
        if refused:
            pytest.fail(refused, pytrace=False)
        for verdict in checked.verdicts:
            words = f"{verdict.invariant} in {verdict.dtype}: {verdict.kind}"
            request.node.user_properties.append(("symmetry", words))
        end_test(replace(check.plan, invariants=(invariant,)), checked)

    def _check(
        self, request: pytest.FixtureRequest, arguments: Mapping[str, Any]
    ) -> session.SharedCheck:
        """Return the check that tests with these parameters share; it ends with their module."""
        given = getattr(request.node, "callspec", None)
        others = {} if given is None else {k: v for k, v in given.params.items() if k in arguments}
        key = repr(sorted(others.items()))
        if key in self._refused:
            raise self._refused[key]
        if key not in self._checks:
            try:
                self._checks[key] = self._begun(request, arguments)
            except SymmetryError as error:
                self._refused[key] = error
                raise
            request.node.getparent(pytest.Module).addfinalizer(lambda: self._end(key))
        return self._checks[key]

    def _begun(
        self, request: pytest.FixtureRequest, arguments: Mapping[str, Any]
    ) -> session.SharedCheck:
        fixtures = _Fixtures(arguments, request.getfixturevalue("tmp_path_factory"))
        training = returned_training(
            self._name, lambda: self._make(**fixtures.copied()), self._file
        )
        return session.SharedCheck(session.plan_check(training, self._options))

    def _end(self, key: str) -> None:
        self._checks.pop(key).close()


class _Fixtures:
    """The values of fixtures, of which each run gets copies: no run sees what another one did.

    Pytest's own are given as they are, and of its temporary folders each run has its own.
    """

    def __init__(self, values: Mapping[str, Any], folders: pytest.TempPathFactory) -> None:
        self._temporary = folders.getbasetemp()
        for name, value in values.items():
            if loop_of(value) is not None:
                raise SymmetryError(
                    f"the fixture {name!r} is made once, and each run needs its own: test the "
                    f"fixture itself, test_{name} = check_training({name})"
                )
        own = {n: v for n, v in values.items() if type(v).__module__.startswith("_pytest")}
        self._given = own | {n: v for n, v in values.items() if self._is_temporary(v)}
        self._values = {n: v for n, v in values.items() if n not in self._given}
        self._values = self._copies()

    def copied(self) -> dict[str, Any]:
        """Return the arguments of another call."""
        given = {n: _moved(v) if self._is_temporary(v) else v for n, v in self._given.items()}
        return {**given, **self._copies()}

    def _is_temporary(self, value: Any) -> bool:
        return isinstance(value, Path) and value.is_dir() and self._temporary in value.parents

    def _copies(self) -> dict[str, Any]:
        with raised_as(SymmetryError, f"copying the fixtures {', '.join(self._values)}"):
            return deepcopy(self._values)


def _moved(folder: Path) -> Path:
    """Return a copy of a folder in one for temporary files, which ends with the run."""
    return Path(shutil.copytree(folder, Path(tempfile.mkdtemp(), folder.name)))
