from __future__ import annotations

import shlex
from dataclasses import replace

import pytest
import torch

from symmetry import parametrize_invariants
from symmetry.checker.run import run as run_plan
from symmetry.targets.resolve import resolve
from symmetry.testing.outcome import end_test
from tests.catalogues import STEPS, select, select_trainings
from tests.checking import plan_of
from tests.cli.inside import symmetry
from tests.torch.script import scripts

pytest_plugins = "pytester"

SYMMETRY = select(["symmetry/*"])

HEADER = """
import numpy as np
import pytest
from symmetry import parametrize_invariants
from symmetry.network.core import step as sound

def broken(x, y, w1, w2, lr):
    w1, w2 = sound(x, y, w1, w2, lr)
    w2[-1] *= 1.5
    return w1, w2

def rounded(x, y, w1, w2, lr):
    w1, w2 = sound(x, y, w1, w2, lr)
    w2[-1] = np.where(w2[-1] == 0, 0, np.nextafter(w2[-1], np.inf, dtype=w2.dtype))
    return w1, w2

def frozen(x, y, w1, w2, lr):
    return w1, w2

"""
TEST = """
def test_it(invariant_check):
    invariant_check()
"""


@parametrize_invariants("numba", examples=10, seed=1, exact=True)
def test_the_core(invariant_check):
    invariant_check()


def run(pytester, decorator, *options, test=TEST):
    pytester.makepyfile(test_mine=f"{HEADER}\n{decorator}{test}")
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist", *options)


def test_there_is_one_test_for_each_invariant_and_its_name_can_be_selected(pytester):
    decorator = "@parametrize_invariants('numba', examples=4)"
    result = run(pytester, decorator, "--collect-only", "-q")
    result.stdout.fnmatch_lines([f"test_mine.py::test_it?{i.name}?" for i in STEPS])
    for expression, number in (
        ("clones", 1),
        ("symmetry/clones", 1),
        ("network", 3),
        ("not symmetry", 3),
        ("w1-columns or pure", 2),
    ):
        result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-k", expression)
        result.assert_outcomes(passed=number, deselected=len(STEPS) - number)


def test_own_steps_are_checked_for_symmetry_unless_more_is_asked_for(pytester):
    run(pytester, "@parametrize_invariants(sound, examples=4)").assert_outcomes(
        passed=len(SYMMETRY)
    )
    run(pytester, "@parametrize_invariants(sound, only='*', examples=4)").assert_outcomes(
        passed=len(STEPS)
    )
    decorator = "@parametrize_invariants(sound, only=['network/*'], skip='*/gradient', examples=4)"
    run(pytester, decorator).assert_outcomes(passed=2)


def test_a_failure_reads_like_the_command_line_and_shows_no_frames(pytester):
    result = run(pytester, "@parametrize_invariants(broken, only='*/w2-rows', dtype='float32')")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "____* test_it?symmetry/w2-rows? ____*",
            "test_mine.py:broken: 1 problem (1 check)",
            "",
            "test_mine.py:* treats hidden unit 1 differently from hidden unit 0",
            "      w2?-1? *= 1.5",
            "  found by  symmetry/w2-rows",
            "  cure      Apply the operation to all units of the layer, or to none.",
            "  operation multiply: *",
            "  case      1 sample, 1 input, 2 hidden units, 2 classes; 1 iteration *",
            "            *seed 0",
            "  repeat    symmetry check test_mine.py:broken --only symmetry/w2-rows --case '{*}'",
            "  more      symmetry explain test_mine.py:broken --case '{*}'",
            "",
            "symmetry/w2-rows in float32: violated, by more than rounding explains: the step *",
            "  statement  from zero weights all hidden rows of w2 stay identical, after every step",
            "  found      after step 1 hidden unit 1 is no longer equal to unit 0: *",
            "  distance   4,194,304 ulps, relative 0.33",
            "  groups     unit 0 | unit 1",
            "  growth     relative 0.33 after step 1, * after 33",
            "  case       1 sample, 1 input, 2 hidden units, 2 classes; 1 iteration at *",
            "  again      failed in each of 3 more runs",
            "  reproduce  symmetry check test_mine.py:broken --only symmetry/w2-rows --case '{*}'",
            "  next       symmetry explain test_mine.py:broken --case '{*}'",
            "",
            "test_mine.py:* treats the hidden units differently: multiply",
        ],
        consecutive=True,
    )
    result.stdout.fnmatch_lines(
        [
            "one BLAS and OpenMP thread: with more, sums may be taken in another order*",
            "=* short test summary info =*",
        ],
        consecutive=True,
    )


def test_the_printed_command_reproduces_the_failure(pytester):
    result = run(pytester, "@parametrize_invariants(broken, only='*/w2-rows', dtype='float32')")
    command, *_ = (  # in CI, pytest's summary repeats it
        text.partition("symmetry ")[2] for text in result.outlines if "  reproduce  " in text
    )
    assert command.startswith("check test_mine.py:broken --only symmetry/w2-rows --case '{")
    finished = symmetry(*shlex.split(command), "--verbose", cwd=pytester.path)
    assert finished.status == 1, finished
    found = next(text for text in result.outlines if text.startswith("  found  "))
    assert found in finished.out.splitlines()


def test_a_step_without_a_name_is_reported_with_its_case(pytester):
    decorator = "@parametrize_invariants(lambda *a: broken(*a), only='*/w2-rows', dtype='float32')"
    result = run(pytester, decorator)
    result.stdout.fnmatch_lines(['  reproduce  with the case {"n": 1, "i": 1, "h": 2, *}'])


def test_expected_failures_are_strict_and_have_their_reason(pytester):
    decorator = """
@parametrize_invariants(broken, only=["symmetry/w2-rows", "symmetry/pure"], examples=10,
                        expected_failures={"symmetry/w2-rows": "known, see #12"})
"""
    result = run(pytester, decorator, "-rx")
    result.assert_outcomes(passed=1, xfailed=1)
    result.stdout.fnmatch_lines(["XFAIL *w2-rows* - known, see #12"])
    result = run(pytester, decorator.replace("broken", "sound"))
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["symmetry/w2-rows *was expected to fail (known, see #12), but*"])
    result = run(pytester, decorator, "--runxfail")
    result.assert_outcomes(passed=1, failed=1)


@pytest.mark.slow
def test_rounding_fails_only_what_must_hold_exactly(pytester):
    decorator = "@parametrize_invariants(rounded, only='*/w2-rows', examples=10{})"
    run(pytester, decorator.format("")).assert_outcomes(passed=1)
    run(pytester, decorator.format(", exact=True")).assert_outcomes(failed=1)


def test_what_proves_nothing_is_skipped_and_says_so(pytester):
    result = run(pytester, "@parametrize_invariants(frozen, only='*/pure', examples=5)", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*vacuous*not tested: nothing moved in 5 cases*"])


def test_a_function_gets_no_test_of_what_says_nothing_of_functions():
    def names(**options):
        _, checks = parametrize_invariants(lambda: None, **options).args
        return {check.id for check in checks}

    assert "loop/modes" in names()
    of_loops = {each.name: each.scripts for each in select_trainings(("loop/*",))}
    assert names(only="loop/*") - names() == {name for name in of_loops if of_loops[name]}
    assert (of_loops["loop/turns"], of_loops["loop/modes"]) == (True, False)


def test_dtypes_that_are_not_taken_are_skipped(pytester):
    # The module's own function: `sound` is the package's, and other tests of this process use it.
    single = "def single(*arguments):\n    return sound(*arguments)\nsingle.dtypes = ('float32',)\n"
    decorator = single + "@parametrize_invariants({})"
    result = run(pytester, decorator.format("single, dtype='float64', examples=2"), "-rs")
    # The plugin, if it is installed, leaves tests out that speak of nothing.
    outcomes = result.parseoutcomes()
    assert outcomes.get("skipped", 0) + outcomes.get("deselected", 0) == len(SYMMETRY)
    assert result.ret == 0
    run(pytester, decorator.format("single, examples=4")).assert_outcomes(passed=len(SYMMETRY))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "sound, only='clones'",
            "no invariant matches 'clones', did you mean 'symmetry/clones'? *",
        ),
        ("sound, only='*/pure', skip='*'", "the patterns to skip leave no invariant to check"),
        ("'no.such:step'", "'no.such:step': No module named 'no'*"),
        ("42", "*is of type int*step(x, y, w1, w2, lr)*"),
        ("sound, dtype='half'", "dtype must be one of float32, float64, not 'half'"),
        ("sound, examples=0", "examples must be an integer of at least 1, not 0"),
        ("sound, seed=-1", "seed must be an integer from 0 to 4294967295, not -1"),
        ("sound, expected_failures={'clones': 'x'}", "cannot expect a failure of 'clones'*"),
        ("sound, expected_failures={'symmetry/pure': ''}", "*symmetry/pure needs a reason"),
    ],
)
def test_a_mistake_in_the_arguments_is_one_line(pytester, arguments, message):
    result = run(pytester, f"@parametrize_invariants({arguments})")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*ERROR collecting test_mine.py*", message, "*short test summary*"]
    )
    assert "Traceback" not in result.stdout.str()


@pytest.mark.slow
def test_warnings_as_errors_and_several_workers(pytester):
    pytester.makepyfile(
        test_mine=f"""{HEADER}
def loud(x, y, w1, w2, lr):
    import warnings
    warnings.warn("mind the step")
    np.exp(np.array([1e9]))
    return sound(x, y, w1, w2, lr)

@parametrize_invariants(loud, examples=4){TEST}
@parametrize_invariants(broken, examples=4, only="*/w2-rows"){TEST.replace("test_it", "test_2")}
"""
    )
    result = pytester.runpytest_subprocess("-W", "error", "-n", "2")
    result.assert_outcomes(passed=len(SYMMETRY), failed=1)
    result.stdout.fnmatch_lines(["*workers*", "*found by  symmetry/w2-rows*"])


def test_hypothesis_settings_are_neither_read_nor_changed(pytester):
    decorator = """
from hypothesis import HealthCheck, Verbosity, given, settings, strategies as st
from symmetry.steps.drawn_cases import draw_cases

settings.register_profile("odd", max_examples=1, verbosity=Verbosity.debug, derandomize=True)
settings.load_profile("odd")

def test_the_profile():
    assert settings.default.max_examples == 1
    assert len(draw_cases(30, 12345, ["float32"])) == 30  # a seed that no other test has drawn
    assert settings.default.max_examples == 1
    assert settings.get_current_profile_name() == "odd"

@parametrize_invariants(sound, only="*/pure", examples=6)
@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers())
"""
    test = "\ndef test_within(number, invariant_check):\n    invariant_check()\n"
    result = run(pytester, decorator, test=test)
    result.assert_outcomes(passed=2)


def test_the_cases_are_those_of_the_command_line():
    mark = parametrize_invariants("numba", only="*/pure", examples=10, seed=3)
    (parameter,) = mark.args[1]
    given = parameter.values[0].plan
    plan = plan_of(given.target, only="*/pure", examples=10, seed=3)
    assert given.target.target is resolve("numba").target
    assert given == next(plan.each())


def scaled():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1))

    def step(i):
        model.zero_grad()
        hidden = model[0](torch.arange(6.0).add(i).sin().view(2, 3)).tanh()
        model[1](hidden * torch.arange(1.0, 5.0)).square().sum().backward()
        torch.optim.SGD(model.parameters(), 0.1).step()

    return model, step


def test_without_equal_units_it_fails():
    mark = parametrize_invariants(scaled, only="symmetry/clones", dtype="float32")
    ((check,),) = (parameter.values for parameter in mark.args[1])
    with pytest.raises(pytest.fail.Exception, match="no equal units were checked: ") as failed:
        check()
    assert failed.value.msg.endswith("; --skip symmetry/clones lets it pass")


def test_an_error_of_symmetry_itself_fails_and_says_so(monkeypatch):
    def broken(start):
        raise KeyError("exp_avg")

    mark = parametrize_invariants(scaled, only="training/moves", dtype="float32")
    ((check,),) = (parameter.values for parameter in mark.args[1])
    (entry,) = check.plan.invariants
    plan = replace(check.plan, invariants=(replace(entry, measure=broken),))
    with pytest.raises(pytest.fail.Exception) as failed:
        end_test(plan, run_plan(plan))
    text = "could not be checked: an error of symmetry itself: KeyError: 'exp_avg'"
    assert failed.value.msg.startswith(text)
    assert failed.value.msg.endswith(" (1 of 1 checks are lost)")


FORMS = """
import symmetry

few = {"only": "training/moves", "dtype": "float32"}
script = symmetry.script("train.py", ["--epochs", "1"])
module = symmetry.script(module="train", arguments=["--epochs", "1"])


@symmetry.parametrize_invariants(script, **few)
def test_path(invariant_check):
    invariant_check()


@symmetry.parametrize_invariants(module, **few)
def test_module(invariant_check):
    invariant_check()


@symmetry.parametrize_invariants("train.py --epochs 1", **few)
def test_name(invariant_check):
    invariant_check()
"""


@pytest.mark.slow
def test_a_script_is_a_training(pytester):
    pytester.makepyfile(train=scripts.PLAIN, network=scripts.NETWORK, test_mine=FORMS)
    # A process of its own: PyTorch is not imported twice.
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:xdist")
    result.assert_outcomes(passed=3)
    assert not (pytester.path / "log.txt").exists()
