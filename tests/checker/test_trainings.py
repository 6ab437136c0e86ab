"""Checking a training: what is planned, what is judged in which dtype, and what is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symmetry.base import memory
from symmetry.base.errors import SymmetryError
from symmetry.checker.progress import Progress
from symmetry.checker.run import run
from symmetry.report.failures import failures
from symmetry.report.verdicts import conclusion
from symmetry.training.target import FunctionTraining
from tests.catalogues import select_trainings
from tests.checking import plan_of
from tests.training.small import checked, kinds, training


def test_what_memory_cannot_hold_says_so_and_the_rest_is_checked(monkeypatch):
    monkeypatch.setattr(memory, "limits", lambda: iter([2000]))  # a state takes 156 bytes
    found = checked(training())
    messages = {(v.invariant, v.dtype): v.message for v in found.verdicts}
    assert messages["symmetry/repeatable", "float64"] == (
        "it does not run in float64: this would take 3.0 KiB of memory, and there are 1.9 KiB"
    )
    assert messages["symmetry/clones", "float32"].startswith("this would take 2.4 KiB of memory")
    assert "units were not searched, because this would take 3.0 KiB" in "".join(found.remarks)
    assert kinds(found)["repeatable", "float32"] == kinds(found)["moves", "float32"] == "holds"


def test_a_sound_training_is_judged_in_both_dtypes():
    found = checked(training())
    both = {(n, d): "holds" for n in ("repeatable", "permutation") for d in ("float32", "float64")}
    assert both.items() <= kinds(found).items()
    assert kinds(found)["resume", "float32"] == "holds"
    assert ("resume", "float64") not in kinds(found)
    assert kinds(found)["samples", "float32"] == "not applicable"
    assert found.coverage is not None
    assert [units.count for units in found.coverage.groups] == [4]
    permutation = next(v for v in found.verdicts if v.invariant == "symmetry/permutation")
    assert permutation.ratio < permutation.threshold == 30
    assert (permutation.steps, permutation.case, permutation.cases) == (4, None, 2)


def test_a_violation_names_step_array_units_and_ratio():
    def lose(model):
        model[0].weight.grad[-1] = 0

    found = checked(training(after=lose), only=["symmetry/*"])
    verdict = next(v for v in found.verdicts if v.invariant == "symmetry/clones" and v.gates)
    assert verdict.array == "model.0.weight"
    assert verdict.ratio > verdict.threshold
    assert verdict.violation.iteration == 1
    assert verdict.violation.units == (3, 0)
    assert verdict.group == found.coverage.groups[0].name


def test_noise_is_told_and_left_out():
    import torch

    found = checked(training(inner=lambda: torch.nn.Dropout(0.5)), only=["symmetry/*"])
    assert not any(verdict.gates for verdict in found.verdicts)
    assert any(
        text.startswith("dropout is active in this step (tests/training/small.py:")
        for text in found.remarks
    )


def test_what_does_not_repeat_is_not_judged_further():
    import numpy as np

    outlives = np.random.default_rng(0)

    def disturb(model):
        model[0].weight.grad += float(outlives.random())

    found = kinds(checked(training(after=disturb)))
    assert found["repeatable", "float32"] == "violated"
    assert {kind for name, kind in found.items() if name[1] == "float32"} == {"violated", "vacuous"}
    assert "holds" not in found.values()


def test_a_line_that_seeds_with_another_number_in_each_run_is_named():
    import torch

    numbers = iter(range(1000))

    def disturb(model):
        torch.manual_seed(next(numbers))
        model[0].weight.grad += torch.rand(())

    found = checked(training(after=disturb), only=["symmetry/repeatable"])
    line = disturb.__code__.co_firstlineno + 1
    assert found.verdicts[0].message.endswith(
        f"tests/checker/test_trainings.py:{line} seeds with another number in each run: let it be "
        "the same one"
    )


def test_an_error_is_told_once_and_a_run_that_fails_only_in_float64_does_not_apply_there():
    import torch

    def refuse(_):
        raise ValueError("no data")

    found = checked(training(before=refuse))
    (verdict,) = found.verdicts
    assert (verdict.kind, verdict.invariant) == ("error", "symmetry/repeatable")
    assert "step(0) raised ValueError: no data" in verdict.message
    assert conclusion(found).startswith("the training fails: step(0) raised ValueError: no")

    def insist(model):
        if model[0].weight.dtype != torch.float32:
            raise TypeError("float32 only")

    found = checked(training(after=insist))
    assert kinds(found)["repeatable", "float32"] == "holds"
    assert kinds(found)["permutation", "float64"] == "not applicable"
    promoted = [verdict.message for verdict in found.verdicts if verdict.dtype == "float64"]
    assert sum("TypeError: float32 only" in message for message in promoted) == 1
    with pytest.raises(SymmetryError, match="as it is checked, and not by itself: "):
        checked(training(after=insist), dtype="float64")


def test_an_error_that_is_not_repeated_is_not_the_trainings():
    calls = []

    def raise_once(i):
        calls.append(i)
        if len(calls) == 7:  # behind the first run, which takes two steps
            raise ValueError("once")

    found = checked(training(before=raise_once), only="symmetry/repeatable", dtype="float32")
    (verdict,) = found.verdicts
    assert (verdict.kind, verdict.gates) == ("vacuous", False)
    assert verdict.message.startswith("it fails only in a run of this check: step(")
    assert "raised ValueError: once (tests/checker/test_trainings.py:" in verdict.message


def test_an_error_of_an_invariant_is_none_of_the_training(monkeypatch):
    def broken(start):
        raise KeyError("exp_avg")

    entry = replace(select_trainings(["training/moves"])[0], measure=broken)
    plan = replace(plan_of(FunctionTraining("f", training())), invariants=(entry,))
    (verdict,) = run(plan).verdicts
    assert (verdict.kind, verdict.gates) == ("not finished", False)
    assert verdict.message.startswith("an error of symmetry itself: KeyError: 'exp_avg' (tests/")


def test_one_block_tells_of_both_dtypes_and_none_of_rounding_beside_it():
    def forget(model):
        model[0].weight.grad[1] = 0  # of no clone: those are the first and the last unit

    found = checked(training(after=forget), only=["symmetry/permutation", "symmetry/clones"])
    (lines,) = failures(found)
    assert lines[0].startswith("symmetry/permutation in float32 and float64: violated")
    (ratio,) = [line for line in lines if line.startswith("  ratio")]
    assert "limit 30; in float64" in ratio


@pytest.mark.parametrize("loss", ["nan", "inf"])
def test_a_loss_that_is_not_finite_is_one_violation_or_an_error_without_its_invariant(loss):
    def make():
        import torch

        model = torch.nn.Linear(1, 1)
        return model, lambda i: (model(torch.ones(1, 1)).sum() + float(loss)).backward()

    whole = checked(make)
    (verdict,) = [verdict for verdict in whole.verdicts if verdict.kind != "not applicable"]
    assert (verdict.kind, verdict.dtype) == ("violated", "float32")
    assert verdict.message.startswith(f"the loss of step 1 is {loss}")
    (error, *_) = checked(make, only=["symmetry/*"]).verdicts
    assert (error.kind, error.message) == ("error", f"the loss of step 1 is {loss}")


def test_a_step_without_loss_or_change_is_an_error():
    def make():
        import torch

        return torch.nn.Linear(1, 1), lambda i: None

    assert (
        "compute no gradients, return no loss and change nothing"
        in checked(make).verdicts[0].message
    )


@pytest.mark.parametrize(("outputs", "silent"), [(2, 0), (1, 0), (2, 1)])
def test_a_linear_model_has_no_units_to_look_for(outputs, silent):
    def make():
        import torch

        model = torch.nn.Linear(3, outputs)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        x, y = torch.randn(4, 3), torch.randn(4, outputs)
        x[:, :silent] = 0

        def step(i):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()

        return model, step

    found = checked(make, only=["symmetry/permutation", "training/moves"])
    assert kinds(found)["permutation", "float32"] == "not applicable"
    assert kinds(found)["moves", "float32"] == "holds"
    assert not any(verdict.unproved for verdict in found.verdicts)


def test_a_generator_without_a_seed_is_named_and_the_rest_is_judged():
    import numpy as np
    import torch

    def make():
        model, step = training()()
        generator = np.random.default_rng()

        def noisy(i):
            with torch.no_grad():
                model[2].bias += float(generator.standard_normal())
            step(i)

        return model, noisy

    found = checked(make, only=["symmetry/*"], dtype="float32")
    assert kinds(found)["permutation", "float32"] == "holds"
    verdict = next(v for v in found.verdicts if v.invariant == "symmetry/repeatable")
    assert (verdict.kind, verdict.line) == ("violated", make.__code__.co_firstlineno + 2)
    assert verdict.message.startswith("a random generator has no seed, so each run draws other")
    assert "give it one, as in np.random.default_rng(0)" in verdict.message


def test_expected_failures_are_met_or_stale():
    def lose(model):
        model[0].weight.grad[-1] = 0

    reasons = {"symmetry/clones": "known", "training/moves": "known"}
    found = checked(training(after=lose), expected_failures=reasons)
    assert kinds(found)["clones", "float32"] == "expected failure"
    assert [v.stale for v in found.verdicts if v.invariant == "training/moves"] == [True]


def test_what_is_planned_makes_sense():
    assert "training/gradient" not in [i.name for i in select_trainings()]
    (invariant,) = select_trainings(["training/gradient"])
    assert invariant.name == "training/gradient"
    target = FunctionTraining("training", training())
    for options, message in (
        ({"only": ["network/*"]}, "no invariant of trainings matches 'network/"),
        ({"skip": ["*"]}, "leave no invariant"),
        ({"steps": 1}, "at least 2, not 1"),
        ({"dtype": ["float16"]}, "dtype must be one of"),
        ({"expected_failures": {"symmetry/pure": "known"}}, "cannot expect a failure of"),
        ({"expected_failures": {"symmetry/clones": " "}}, "needs a reason"),
    ):
        with pytest.raises(SymmetryError, match=message):
            plan_of(target, **options)


def test_gradients_of_the_wrong_units_are_seen_although_all_are_shifted_by_one():
    def shift(model):
        model[0].weight.grad = model[0].weight.grad.roll(1, 0)

    found = kinds(checked(training(after=shift), only=["symmetry/permutation"]))
    assert found == {("permutation", dtype): "violated" for dtype in ("float32", "float64")}


def test_a_parameter_that_grows_is_an_error_in_one_line():
    def make():
        import torch

        model = torch.nn.Linear(3, 2)

        def step(i):
            model(torch.ones(2, model.in_features)).sum().backward()
            model.in_features += 1
            model.weight = torch.nn.Parameter(torch.zeros(2, model.in_features))

        return model, step

    (error,) = [verdict for verdict in checked(make).verdicts if verdict.gates]
    assert error.kind == "error"
    assert error.message == (
        "model.weight has the shape (2, 3) at the start and (2, 4) after step 0: what grows is "
        "not checked"
    )


def to_zero(model, optimizer, width):
    """Return a step that brings what a model makes of random numbers nearer to zero."""

    def step(i):
        import torch

        x = torch.randn(8, width, generator=torch.Generator().manual_seed(i))
        optimizer.zero_grad()
        model(x.to(next(model.parameters()).dtype)).square().mean().backward()
        optimizer.step()

    return step


def replicas(change):
    """Return a training of two copies of a model, each of which sees half of a batch."""

    def make():
        import copy

        import torch
        from torch import nn

        model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
        models = nn.ModuleList([model, copy.deepcopy(model)])
        optimizer = torch.optim.SGD(models.parameters(), 0.1, momentum=0.9)

        def step(i):
            optimizer.zero_grad()
            for number, each in enumerate(models):
                generator = torch.Generator().manual_seed(2 * i + number)
                x = torch.randn(8, 5, generator=generator).to(each[0].weight.dtype)
                y = torch.randint(0, 3, (8,), generator=generator)
                nn.functional.cross_entropy(each(x), y).backward()
            for one, other in zip(*(each.parameters() for each in models), strict=True):
                change(mean := (one.grad + other.grad) / 2)
                one.grad, other.grad = mean, mean.clone()
            optimizer.step()

        return models, step

    return make


@pytest.mark.parametrize("bug", [False, True])
def test_replicas_that_share_their_gradients_are_one_model(bug):
    make = replicas(lambda mean: mean[-1:].mul_(0.5) if bug else None)
    found = kinds(
        checked(make, only=["symmetry/*"], skip=["*/samples", "*/micro-batches"])
    ).values()
    assert {*found} == {"violated", "holds"} if bug else {*found} <= {"holds", "rounding"}


def test_groups_in_the_same_arrays_are_no_replicas():
    def make():
        import torch
        from torch import nn

        class Halves(nn.Module):
            def forward(self, x):
                return torch.cat([x[:, :3].tanh(), x[:, 3:].relu()], 1)

        model = nn.Sequential(nn.Linear(5, 7), Halves(), nn.Linear(7, 3))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        return model, to_zero(model, optimizer, 5)

    found = kinds(checked(make, only=["symmetry/permutation", "symmetry/clones"]))
    assert {*found.values()} <= {"holds", "rounding"}


def test_a_target_network_may_require_gradients_that_it_never_gets():
    """Its actions may be exchanged, as only the best of them counts; those of the other may not."""

    def make():
        import copy

        import torch
        from torch import nn

        model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
        target = copy.deepcopy(model)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(i):
            generator = torch.Generator().manual_seed(i)
            x, then = torch.randn(2, 8, 5, generator=generator).to(model[0].weight.dtype)
            actions = torch.randint(0, 3, (8, 1), generator=generator)
            with torch.no_grad():
                best, _ = target(then).max(1)
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x).gather(1, actions)[:, 0], best).backward()
            optimizer.step()
            for slow, fast in zip(target.parameters(), model.parameters(), strict=True):
                slow.data.copy_(0.1 * fast.data + 0.9 * slow.data)

        return nn.ModuleDict({"model": model, "target": target}), step

    found = checked(make, only=["symmetry/*"], skip=["*/samples", "*/micro-batches"])
    assert {*kinds(found).values()} <= {"holds", "rounding"}
    assert [units.name for units in found.coverage.groups] == ["model.0 units"]


def test_units_in_what_an_optimiser_alone_holds_are_judged():
    """Layers in a plain list are no parameters of the model."""

    def make():
        import torch
        from torch import nn

        model = nn.Module()
        model.layers = [nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)]
        forward = nn.Sequential(*model.layers)
        optimizer = torch.optim.Adam(forward.parameters(), 0.1)

        return model, to_zero(forward, optimizer, 5)

    found = kinds(checked(make, only=["symmetry/permutation", "symmetry/clones"]))
    assert {*found.values()} <= {"holds", "rounding"}


def test_frozen_integers_beside_the_weights_are_no_obstacle():
    def integers():
        import torch

        layer = torch.nn.Identity()
        whole = torch.ones(3, dtype=torch.int8)
        layer.scale = torch.nn.Parameter(whole, requires_grad=False)
        return layer

    found = checked(training(inner=integers), only=["training/*"])
    assert not [verdict for verdict in found.verdicts if verdict.gates]


def test_units_are_found_before_anything_asks_for_them():
    def make():
        import torch

        model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(batch):
            optimizer.zero_grad()
            model(batch).square().mean().backward()
            optimizer.step()

        def batch(i):
            return torch.randn(6, 3, generator=torch.Generator().manual_seed(i))

        return model, step, {"batch": batch}

    make.expect_units = {"0": 5}
    found = kinds(checked(make, only=["symmetry/samples", "training/units"]))
    assert found["units", "float32"] == "holds"


def test_forks_measure_nothing_that_depends_on_units_before_these_were_searched(monkeypatch):
    plan, begun = plan_of(FunctionTraining("mine", training())), []
    examiner = plan.target.examiner(plan, Progress())
    monkeypatch.setattr(examiner._ahead, "begin", begun.append)
    for searched in (False, True):
        monkeypatch.setattr(examiner, "_searched", searched)
        examiner._begin_ahead(*examiner._tasks[0])
    before, after = ({examiner._tasks[task][0].name for task in tasks} for tasks in begun)
    assert {"symmetry/permutation", "training/eager"} <= after - before
    assert {"training/resume", "loss/scaling"} <= before
