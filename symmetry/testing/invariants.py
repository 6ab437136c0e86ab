"""The pytest face: one test for each invariant.

from symmetry import parametrize_invariants

@parametrize_invariants(my_step, expected_failures={"symmetry/clones": "known, see #12"})
def test_my_step(invariant_check):
    invariant_check()
"""

import os
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Unpack

import pytest
from hypothesis.database import ExampleDatabase

from symmetry import session
from symmetry.base.errors import SymmetryError
from symmetry.base.names import split_arguments
from symmetry.checker.declaration import takes
from symmetry.checker.options import Keywords, Options
from symmetry.checker.plan import Plan
from symmetry.checker.verdict import Checked
from symmetry.law.case import Case, CaseError, parse_case
from symmetry.targets.resolve import as_target
from symmetry.testing.outcome import end_test


@takes(Options, Keywords)
def parametrize_invariants(
    step: str | Callable[..., Any],
    *,
    database: ExampleDatabase | None = None,
    **options: Unpack[Keywords],
) -> pytest.MarkDecorator:
    """Turn a test into one test for each invariant, named after it.

    The test has an argument ``invariant_check``, a function without arguments. Calling it checks
    the invariant in every dtype: it fails the test where the command line would exit with 1,
    reports an expected failure as such, and skips the test where nothing can be said: no case had
    the invariant's witness, the step takes none of the dtypes, or the training has nothing that the
    invariant is about, such as padding; ``pytest -rs`` shows why. Invariants of scripts alone get
    no test for a function, unless ``only`` selects them. An expected failure that does not fail in
    any dtype fails its test, and so does an error of symmetry itself, which says so.

    Parameters
    ----------
    step
        A training step ``step(x, y, w1, w2, lr) -> (w1, w2)``, a class whose instances are one, a
        PyTorch training, or a name such as the command line takes.
    database
        A database of Hypothesis, in which the smallest case of each failure is kept. Those in it
        are run first, whoever has found them: give workers with other seeds one that they share.
        Trainings have no cases and keep none.
    **options
        As ``symmetry.check`` takes them.

    Examples
    --------
    >>> @parametrize_invariants("numba", only="symmetry/*", dtype="float32", exact=True)
    ... def test_core(invariant_check):
    ...     invariant_check()
    """
    try:
        asked = Options(**options)
        if isinstance(step, str):
            plan = session.plan_check(step, asked)
        else:
            target = as_target(step, _name(step, asked.arguments), asked.arguments)
            plan = session.plan_check(target, replace(asked, arguments={}))
    except SymmetryError as error:
        # Pytest prints the message of this exception alone, without a traceback.
        raise pytest.Collector.CollectError(str(error)) from None
    plan = _that_may_apply(plan)
    whole = cache(partial(session.check, plan)) if plan.together else None
    checks = [
        pytest.param(InvariantCheck(p, database, whole), id=p.invariants[0].name)
        for p in plan.each()
    ]
    return pytest.mark.parametrize("invariant_check", checks)


def _that_may_apply(plan: Plan) -> Plan:
    """Leave out the invariants of scripts where a function is checked, unless they are selected."""
    training = getattr(plan.target, "training", None)
    if plan.options.only or training is None or training.sequential:
        return plan
    kept = (each for each in plan.invariants if not getattr(each, "scripts", False))
    return replace(plan, invariants=tuple(kept))


@dataclass(frozen=True)
class InvariantCheck:
    """Checks one invariant when it is called in a test; with ``whole``, all of them at once."""

    plan: Plan
    database: ExampleDatabase | None = None
    whole: Callable[[], Checked] | None = None

    def __call__(self) -> None:
        """Check, and end the test as the verdicts say."""
        end_test(self.plan, self._run())

    def _run(self) -> Checked:
        """Run the cases that failed before, then the others; keep what fails, forget what holds."""
        plan, database = self.plan, self.database
        if self.whole is not None:
            return _only(self.whole(), plan.invariants[0].name)
        if database is None or not plan.cases:
            return session.check(plan)
        key = f"symmetry {plan.target.name} {plan.invariants[0].name}".encode()
        kept = dict(_kept(database, key))
        recalled = sorted((c for c in kept if c.dtype in plan.dtypes), key=lambda case: case.work)
        checked = session.check(replace(plan, cases=(*recalled, *plan.cases)))
        for verdict in checked.verdicts:
            if verdict.kind in ("holds", "rounding"):  # no case violates it
                for case in recalled:
                    if case.dtype == verdict.dtype:
                        database.delete(key, kept[case])
            elif verdict.case is not None:
                database.save(key, verdict.case.to_json().encode())
        return checked


def _only(checked: Checked, invariant: str) -> Checked:
    """Return the verdicts and notes of one invariant."""
    verdicts = tuple(v for v in checked.verdicts if v.invariant == invariant)
    notes = tuple(dict.fromkeys(note for verdict in verdicts for note in verdict.notes))
    gating = tuple(note for note in checked.gating if note in notes)
    return replace(checked, verdicts=verdicts, notes=notes, gating=gating)


def _kept(database: ExampleDatabase, key: bytes) -> Iterator[tuple[Case, bytes]]:
    """Yield the cases under a key; remove entries that are no cases, as of an older version."""
    for kept in tuple(database.fetch(key)):
        try:
            yield parse_case(kept.decode()), kept
        except (CaseError, UnicodeDecodeError):
            database.delete(key, kept)


def _name(step: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """Return a name by which the command line finds the step: a file's, if it is one's own.

    A test's module is seldom importable by name from the working directory.
    """
    name, _ = split_arguments(as_target(step, arguments=arguments).name)
    module, _, attribute = name.partition(":")
    file = getattr(sys.modules.get(module), "__file__", None)
    installed = map(sysconfig.get_path, ("purelib", "stdlib"))
    if file is None or not Path(file).is_relative_to(Path.cwd()):
        return name
    if any(map(Path(file).is_relative_to, installed)):
        return name
    return f"{os.path.relpath(file)}:{attribute}"
