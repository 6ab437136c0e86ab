from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from symmetry.base.user_code import shorten
from symmetry.checker.progress import Progress
from symmetry.checker.verdict import exit_code
from symmetry.law.case import Case
from symmetry.steps.drawn_cases import draw_cases
from symmetry.steps.examiner import fit
from symmetry.targets.resolve import as_step_target, resolve
from tests.catalogues import STEPS, select
from tests.checking import check, check_target
from tests.conftest import slow
from tests.steps import checked as steps


def ignoring(x, y, w1, w2, lr):
    """Trains weights of its own."""
    w1, w2 = (np.random.default_rng(0).normal(size=w.shape).astype(w.dtype) for w in (w1, w2))
    return steps.sound(x, y, w1, w2, lr)


def without_numbers(x, y, w1, w2, lr):
    return w1 * np.nan, w2 * np.nan


GENERATOR = np.random.default_rng()


def drawing(x, y, w1, w2, lr):
    w1, w2 = steps.sound(x, y, w1, w2, lr)
    return w1 + GENERATOR.normal(size=w1.shape).astype(w1.dtype), w2


def notes_of(step):
    few = {"examples": 2, "dtype": "float32"}
    return check_target(as_step_target(step), only=["symmetry/*"], **few).remarks


def test_what_draws_random_numbers_is_named():
    (note,) = notes_of(drawing)
    assert note.startswith("random.normal draws random numbers in each step: ")
    assert re.search(r"test_examiner\.py:\d+$", note)


def test_the_line_of_a_layer_that_draws_random_numbers_is_named():
    import torch

    dropout = torch.nn.Dropout(0.5)

    def dropping(x, y, w1, w2, lr):
        w1, w2 = steps.sound(x, y, w1, w2, lr)
        return dropout(torch.from_numpy(w1)).numpy(), w2

    (note,) = notes_of(dropping)
    line = dropping.__code__.co_firstlineno + 2
    assert note.endswith(f" draws random numbers in each step: {shorten(__file__)}:{line}")


@pytest.mark.parametrize(
    ("step", "notes"),
    [
        (ignoring, ["the step ignores w1 and w2: from other weights it returns the same ones"]),
        (without_numbers, ["the first step gives NaN or infinity, even from numbers of order 1"]),
        (steps.frozen, ["the step returns w1 and w2 as they came"]),
        slow(steps.last_unit_off, []),
        (steps.sound, []),
        (lambda x, y, w1, w2, lr: None, []),
    ],
)
def test_one_cause_of_all_verdicts_is_named(step, notes):
    assert list(notes_of(step)) == notes


FEW = 15  # none of them is large
CASE = Case(9, 4, 5, 3, 0.5, 3, "float32", "pixels", "scaled", 0)


@cache
def few():
    return draw_cases(FEW, 0, ["float32"])


@cache
def both():
    return draw_cases(10, 0)


def verdict_of(step, name, cases=(), **options):
    (verdict,) = check(as_step_target(step), select([name]), cases or few(), **options)
    return verdict


def test_a_sound_step_holds_in_everything_and_every_dtype():
    verdicts = check(resolve("numba"), STEPS, draw_cases(FEW, 0))
    assert [(v.invariant, v.dtype) for v in verdicts] == [
        (invariant.name, dtype) for invariant in STEPS for dtype in ("float32", "float64")
    ]
    assert {v.kind for v in verdicts} == {"holds"}
    for verdict in verdicts:
        assert verdict.cases == FEW
        assert 6 <= verdict.counted <= FEW
        assert verdict.case is verdict.violation is verdict.reason is None
        assert not verdict.gates
        ranges = [[float(number) for number in span.split(" to ")] for span in verdict.spans]
        assert len(ranges) == 6
        assert all(numbers == sorted(numbers) for numbers in ranges)
    assert all(v.max_ulps == 0 for v in verdicts[:6])
    assert all(0 < v.margin < 1 for v in verdicts if v.invariant == "network/gradient")
    assert exit_code(verdicts) == 0


def test_what_only_trainings_have_is_not_told_of_a_step():
    verdict = verdict_of(steps.last_unit_off, "symmetry/permutation")
    assert verdict.kind == "violated"
    assert verdict.margin > 1
    assert verdict.ratio is verdict.threshold is verdict.array is verdict.group is None


def test_a_violation_is_shrunk_and_described():
    verdict = verdict_of(steps.last_unit_off, "symmetry/w1-columns")
    assert verdict.kind == "violated"
    assert verdict.gates
    case, violation = verdict.case, verdict.violation
    assert (case.n, case.i, case.h, case.dtype) == (1, 1, 2, "float32")
    assert case.weights == "zero"
    assert violation.iteration == case.iterations == 2  # w1 does not move in the first step
    assert sorted(violation.units) == [0, 1]
    assert violation.array == "w1"
    assert violation.ulps == verdict.max_ulps > 10_000
    assert violation.rounding is False
    assert len(violation.growth) > 3
    assert verdict.message == violation.message
    assert (verdict.failures, verdict.reruns) == (3, 3)
    assert verdict.cases < FEW  # the others were not run


def test_a_case_that_was_shrunk_fails_by_itself():
    for name in ("symmetry/w1-columns", "symmetry/clones", "network/gradient"):
        found = verdict_of(steps.last_unit_off, name)
        again = verdict_of(steps.last_unit_off, name, [found.case], shrinking=False)
        assert again.case == found.case
        assert again.violation == found.violation


def test_without_shrinking_the_case_is_the_given_one():
    verdict = verdict_of(steps.last_unit_off, "symmetry/clones", [CASE], shrinking=False)
    assert verdict.case == replace(CASE, weights="cloned")


def test_rounding_violates_what_must_hold_exactly():
    verdict = verdict_of(steps.last_unit_rounded, "symmetry/w2-rows", exact=True)
    assert (verdict.kind, verdict.gates) == ("violated", True)
    assert verdict.violation.rounding is True
    rounding = verdict_of(steps.last_unit_rounded, "symmetry/w2-rows")
    assert (rounding.kind, rounding.gates) == ("rounding", False)
    assert rounding.cases == FEW  # it went on
    assert rounding.violation.rounding is True
    assert rounding.case.h == 2


@pytest.mark.slow
def test_rounding_hides_nothing_worse():
    verdict = verdict_of(steps.rounded_and_worse_when_wide, "symmetry/w2-rows")
    assert verdict.kind == "violated"
    assert verdict.violation.rounding is False
    assert verdict.case.h == 32


def test_a_step_that_does_not_repeat_itself_gets_a_verdict_like_any_other():
    verdict = verdict_of(steps.noisy, "symmetry/repeatable")
    assert verdict.kind == "violated"
    assert "a second run" in verdict.message
    verdict = verdict_of(steps.noisy, "symmetry/w1-columns")
    assert verdict.kind == "violated"
    assert verdict.case.h == 2


def test_a_failure_by_chance_is_counted_as_such():
    class Fickle:
        calls = 0

        def __call__(self, x, y, w1, w2, lr):
            Fickle.calls += 1
            if Fickle.calls == 2:
                x[:] += 1
            return w1 + 1, w2

    verdict = verdict_of(Fickle, "symmetry/pure")
    assert verdict.kind == "violated"
    assert (verdict.failures, verdict.reruns) == (0, 3)


def test_nothing_that_moves_is_vacuous():
    verdicts = check(as_step_target(steps.frozen), select(["symmetry/*"]), both())
    assert {v.kind for v in verdicts} == {"vacuous"}
    assert all(v.counted == 0 and v.cases == 10 and not v.gates for v in verdicts)
    assert verdicts[0].message == (
        "w1 never moved in 10 cases (normal for tanh and ReLU from zero weights; symmetry/clones "
        "covers it)"
    )
    assert exit_code(verdicts) == 2


def test_a_step_that_raises_is_an_error_with_the_smallest_case():
    verdict = verdict_of(steps.breaks_when_wide, "symmetry/w1-columns")
    assert (verdict.kind, verdict.gates) == ("error", True)
    assert verdict.violation is None
    assert verdict.max_ulps is None
    assert "ValueError: three is a crowd (tests/steps/checked.py:" in verdict.message
    assert (verdict.case.n, verdict.case.i, verdict.case.h, verdict.case.c) == (1, 1, 3, 1)


def test_results_of_another_kind_are_errors():
    verdict = verdict_of(lambda x, y, w1, w2, lr: (w1, w2.astype("float64")), "symmetry/pure")
    assert verdict.kind == "error"
    assert "dtypes" in verdict.message


def test_a_dtype_that_is_not_taken_is_not_applicable():
    float32, float64 = check(
        as_step_target(steps.single_precision), select(["symmetry/pure"]), draw_cases(4, 0)
    )
    assert float32.kind == "holds"
    assert (float64.kind, float64.cases, float64.gates) == ("not applicable", 0, False)
    assert float64.message == "the step takes float32 only"


@pytest.mark.slow
def test_an_expected_failure_does_not_gate():
    expected = {"symmetry/w1-columns": "known"}
    verdict = verdict_of(steps.last_unit_off, "symmetry/w1-columns", expected_failures=expected)
    assert (verdict.kind, verdict.reason, verdict.gates) == ("expected failure", "known", False)
    assert verdict.case is not None
    rounded = verdict_of(
        steps.last_unit_rounded,
        "symmetry/w2-rows",
        expected_failures={"symmetry/w2-rows": "BLAS"},
    )
    assert rounded.kind == "expected failure"


@pytest.mark.parametrize("step", [steps.sound, steps.frozen])
def test_an_expected_failure_that_does_not_fail_gates(step):
    verdict = verdict_of(
        step, "symmetry/w1-columns", expected_failures={"symmetry/w1-columns": "?"}
    )
    assert verdict.kind in ("holds", "vacuous")
    assert verdict.stale
    assert verdict.gates


def test_a_failure_in_one_dtype_is_what_was_expected():
    def step(x, y, w1, w2, lr):
        return steps.last_unit_off(x, y, w1, w2, lr) if x.dtype == "float32" else (w1 + 1, w2)

    float32, float64 = check(
        as_step_target(step),
        select(["symmetry/w1-columns"]),
        both(),
        expected_failures={"symmetry/w1-columns": "only in float32"},
    )
    assert (float32.kind, float32.gates) == ("expected failure", False)
    assert (float64.kind, float64.gates) == ("holds", False)


def test_no_failure_is_expected_of_a_dtype_that_is_not_taken():
    def step(x, y, w1, w2, lr):
        return w1, w2

    step.dtypes = ("float64",)
    verdict = verdict_of(step, "symmetry/pure", expected_failures={"symmetry/pure": "why not"})
    assert (verdict.kind, verdict.gates) == ("not applicable", False)


def test_an_error_is_not_the_failure_that_was_expected():
    verdict = verdict_of(
        steps.breaks_when_wide, "symmetry/pure", expected_failures={"symmetry/pure": "writes to x"}
    )
    assert (verdict.kind, verdict.gates) == ("error", True)


@pytest.mark.parametrize("invariant", STEPS, ids=lambda invariant: invariant.name)
@pytest.mark.parametrize("weights", ["zero", "scaled", "steep", "wide", "cloned", "cloned-wide"])
def test_every_invariant_gets_a_start_that_can_have_its_witness(invariant, weights):
    case = replace(CASE, weights=weights)
    fitted = fit(case, invariant)
    kind = {"zero": "zero", "cloned": "cloned"}.get(fitted.weights.partition("-")[0], "random")
    assert kind in invariant.weights
    assert replace(fitted, weights=weights) == case
    assert fit(fitted, invariant) == fitted


def test_clones_keep_the_scale():
    clones = select(["symmetry/clones"])[0]
    starts = {w: fit(replace(CASE, weights=w), clones).weights for w in ("small", "wide", "steep")}
    assert starts == {"small": "cloned-small", "wide": "cloned-wide", "steep": "cloned"}


def test_what_happens_is_told_while_it_happens():
    told = []

    class Told(Progress):
        def case(self, *numbers):
            told.append(numbers[:4])
            assert numbers[4].dtype == numbers[1]

        def examined(self, verdict):
            told.append(verdict.kind)

        def verdict(self, verdict):
            told.append(verdict.invariant)

    invariants = select(["symmetry/pure", "symmetry/clones"])
    check(as_step_target(steps.frozen), invariants, draw_cases(2, 0), progress=Told())
    assert told == [
        *(("symmetry/clones", "float32", k, 2) for k in (0, 1)),
        "vacuous",
        *(("symmetry/clones", "float64", k, 2) for k in (0, 1)),
        "vacuous",
        *("symmetry/clones",) * 2,
        *(("symmetry/pure", "float32", k, 2) for k in (0, 1)),
        "vacuous",
        *(("symmetry/pure", "float64", k, 2) for k in (0, 1)),
        "vacuous",
        *("symmetry/pure",) * 2,
    ]


def test_a_step_that_works_nowhere_is_told_once():
    def step(x, y, w1, w2, lr):
        return (x @ w1[1:]).shape

    (verdict,) = check(as_step_target(step), select(["symmetry/*"]), both())
    assert (verdict.kind, verdict.case.n, verdict.case.i) == ("error", 1, 1)
    assert (verdict.invariant, verdict.dtype) == (STEPS[0].name, "float32")


def test_a_step_that_works_in_one_dtype_is_checked_in_that():
    def step(x, y, w1, w2, lr):
        return steps.sound(x, y, w1, w2, lr) if x.dtype == "float64" else None

    verdicts = check(as_step_target(step), select(["symmetry/*"]), both())
    assert [v.kind for v in verdicts if v.dtype == "float32"] == ["error"]
    assert {v.kind for v in verdicts if v.dtype == "float64"} == {"holds"}


@pytest.mark.slow
def test_an_error_in_some_cases_is_told_once_and_hides_no_other_case():
    def step(x, y, w1, w2, lr):
        if len(x) == 1:
            raise ValueError("a single sample")
        return steps.last_unit_off(x, y, w1, w2, lr)

    kinds = {
        v.invariant: v.kind for v in check(as_step_target(step), select(["symmetry/*"]), few())
    }
    assert list(kinds.values()).count("error") == 1
    assert kinds["symmetry/clones"] == "violated"
    assert kinds["symmetry/pure"] == "holds"


def test_what_was_told_by_the_smallest_case_is_not_told_again():
    def step(x, y, w1, w2, lr):
        if w1.shape[1] > 4:
            raise ValueError("much too wide" if w1.shape[1] > 8 else "too wide")
        return w1, w2

    cases = [replace(CASE, h=40), replace(CASE, h=7)]
    told, silent = check(as_step_target(step), select(["*/pure", "*/clones"]), cases)
    assert (told.kind, told.case.h) == ("error", 5)
    assert silent.kind == "vacuous"
    assert silent.message == "the step works in no case, as an error above says"


def test_the_first_case_that_fails_is_told():
    def step(x, y, w1, w2, lr):
        if len(x) == 9:
            raise ValueError("nine samples")
        return steps.last_unit_off(x, y, w1, w2, lr)

    cases = [CASE, replace(CASE, n=10)]
    verdict = verdict_of(step, "symmetry/w1-columns", cases, shrinking=False)
    assert (verdict.kind, verdict.cases) == ("error", 1)


def test_a_step_that_raises_later_on_is_violated_all_the_same():
    class Tired:
        calls = 0

        def __call__(self, x, y, w1, w2, lr):
            self.calls += 1
            if self.calls > CASE.iterations:
                raise ValueError("enough")
            return steps.last_unit_off(x, y, w1, w2, lr)

    verdict = verdict_of(Tired, "symmetry/w1-columns", [CASE], shrinking=False)
    assert (verdict.kind, verdict.violation.growth) == ("violated", ())


def test_a_step_that_takes_no_labels_near_0_and_1_is_not_excused_by_rounding():
    def step(x, y, w1, w2, lr):
        if not {*y.flat} <= {0, 1}:
            raise ValueError("labels are 0 and 1")
        return steps.last_unit_rounded(x, y, w1, w2, lr)

    assert verdict_of(step, "symmetry/w2-rows", [CASE]).kind == "violated"


def test_all_invariants_see_the_same_shapes():
    """A trainer that compiles for each shape does so once."""
    seen = Counter()

    def step(x, y, w1, w2, lr):
        seen[x.shape, w1.shape, w2.shape, x.dtype] += 1
        return steps.sound(x, y, w1, w2, lr)

    check(as_step_target(step), select(["symmetry/*"]), few())
    assert len(seen) <= len({(c.n, c.i, c.h, c.c) for c in few()}) + 2  # to run in between


def test_an_interruption_passes():
    def step(x, y, w1, w2, lr):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verdict_of(step, "symmetry/pure")
