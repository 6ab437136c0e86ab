"""The pytest face: one test for each invariant.

from symmetry import parametrize_invariants

@parametrize_invariants(my_step, expected_failures={"symmetry/clones": "known, see #12"})
def test_my_step(invariant_check):
    invariant_check()
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from symmetry.checker import threads
from symmetry.checker.case import DTYPES, Case
from symmetry.checker.check import applicable, check, require_sense
from symmetry.checker.strategies import EXAMPLES, draw_cases
from symmetry.checker.verdict import Verdict
from symmetry.errors import SymmetryError
from symmetry.invariants.catalogue import Invariant
from symmetry.report.verdicts import command_line, facts_in_lines, line
from symmetry.targets.resolve import as_trainer, resolve_step
from symmetry.targets.trainer import Trainer


def parametrize_invariants(
    step: str | Callable[..., Any],
    *,
    only: str | Iterable[str] = (),
    skip: str | Iterable[str] = (),
    examples: int = EXAMPLES,
    seed: int = 0,
    dtype: str | Iterable[str] = DTYPES,
    allow: str | Iterable[str] = (),
    expected_failures: Mapping[str, str] | None = None,
) -> pytest.MarkDecorator:
    """Turn a test into one test for each invariant, named after it.

    The test has an argument ``invariant_check``, a function without arguments. Calling it checks
    the invariant in every dtype: it fails the test where the command line would exit with 1,
    reports an expected failure as such, and skips the test where nothing can be said: no case had
    the invariant's witness, or the step takes none of the dtypes.

    Parameters
    ----------
    step
        A training step ``step(x, y, w1, w2, lr) -> (w1, w2)``, a class whose instances are one, or
        a name such as the command line takes.
    only, skip
        Patterns for names of invariants, as of the shell; ``skip`` wins. Without ``only``, the
        ``symmetry/*`` are checked, and ``network/*`` as well for this project's own trainers.
    examples, seed
        How many cases there are for each dtype, and the seed of their list.
    dtype
        ``"float32"``, ``"float64"`` or both.
    allow
        ``"rounding"``: do not mind violations that the rounding of single steps explains.
    expected_failures
        Names of invariants that are known to be violated, each with the reason. If one is not
        violated in any dtype, its test fails.

    Examples
    --------
    >>> @parametrize_invariants("numba", only="symmetry/*", dtype="float32")
    ... def test_core(invariant_check):
    ...     invariant_check()
    """
    try:
        trainer = resolve_step(step) if isinstance(step, str) else as_trainer(step, _name(step))
        invariants = applicable(trainer, _tuple(only), _tuple(skip))
        cases = draw_cases(_at_least("examples", examples, 1), _at_least("seed", seed, 0), DTYPES)
        chosen = _chosen(cases, _tuple(dtype))
        allow_rounding = _allows_rounding(_tuple(allow))
        require_sense(expected_failures or {})
    except SymmetryError as error:
        # Pytest prints the message of this exception alone, without a traceback.
        raise pytest.Collector.CollectError(str(error)) from None
    expected = dict(expected_failures or {})
    checks = [
        InvariantCheck(trainer, invariant, chosen, allow_rounding, expected)
        for invariant in invariants
    ]
    return pytest.mark.parametrize(
        "invariant_check", [pytest.param(c, id=c.invariant.name) for c in checks]
    )


@dataclass(frozen=True)
class InvariantCheck:
    """Checks one invariant of one trainer when it is called in a test."""

    trainer: Trainer
    invariant: Invariant
    cases: tuple[Case, ...]
    allow_rounding: bool
    expected: Mapping[str, str]

    def __call__(self) -> None:
        """Check, and end the test as the verdicts say."""
        verdicts = check(
            self.trainer,
            [self.invariant],
            self.cases,
            allow_rounding=self.allow_rounding,
            expected_failures=self.expected,
        )
        if any(verdict.gates for verdict in verdicts):
            pytest.fail(self._text(verdicts), pytrace=False)
        if any(verdict.kind == "expected failure" for verdict in verdicts):
            pytest.xfail(self.expected[self.invariant.name])
            pytest.fail(self._text(verdicts), pytrace=False)  # only under --runxfail
        if not any(verdict.kind in ("holds", "rounding") for verdict in verdicts):
            pytest.skip("; ".join(line(verdict) for verdict in verdicts))

    def _text(self, verdicts: Iterable[Verdict]) -> str:
        """Return what the command line prints."""
        lines: list[str] = []
        for verdict in verdicts:
            lines.append(line(verdict))
            if verdict.case is not None:
                command = command_line(self.trainer.name, verdict)
                lines += [*facts_in_lines(verdict, command)[1:], ""]
        return "\n".join([*lines, threads.in_words()])


def _name(step: Callable[..., Any]) -> str:
    """Return a name by which the command line finds the step: a file's, if it is one's own.

    A test's module is seldom importable by name from the working directory.
    """
    name = as_trainer(step).name
    module, _, attribute = name.partition(":")
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or not Path(file).is_relative_to(Path.cwd()) or _is_installed(Path(file)):
        return name
    return f"{os.path.relpath(file)}:{attribute}"


def _is_installed(file: Path) -> bool:
    return any(file.is_relative_to(sysconfig.get_path(key)) for key in ("purelib", "stdlib"))


def _tuple(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _at_least(name: str, value: int, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise SymmetryError(f"{name} must be an integer of at least {least}, not {value!r}")
    return value


def _chosen(cases: Iterable[Case], dtypes: tuple[str, ...]) -> tuple[Case, ...]:
    for dtype in dtypes or ("nothing",):
        if dtype not in DTYPES:
            raise SymmetryError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}")
    return tuple(case for case in cases if case.dtype in dtypes)


def _allows_rounding(allowed: tuple[str, ...]) -> bool:
    for name in allowed:
        if name != "rounding":
            raise SymmetryError(f"all that can be allowed is 'rounding', not {name!r}")
    return bool(allowed)
