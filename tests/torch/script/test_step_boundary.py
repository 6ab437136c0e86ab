"""Where the steps of a script begin and end."""

from __future__ import annotations

from symmetry.base.calls import Running
from symmetry.finding.find import find
from symmetry.training.events import Called
from tests.torch.script import scripts
from tests.torch.script.helpers import steps_of, written


def test_without_an_optimiser_each_backward_is_a_step(folder):
    training = written(folder, scripts.BY_HAND)
    assert len(steps_of(training)) == 6
    assert next(iter(training.begin().parameters)) == "model.0.weight"


def test_an_optimiser_that_never_steps_is_none(folder):
    training = written(folder, scripts.NEVER_STEPPED)
    assert len(steps_of(training)) == 6
    training.close()


def test_each_update_of_two_networks_is_a_step(folder):
    training = written(folder, scripts.GAN)
    run = training.begin()
    assert {name.split(".")[1] for name in run.parameters} == {"generator", "critic"}
    assert len(steps_of(training)) == 8


def test_networks_have_the_names_of_attributes_too(folder):
    training = written(folder, scripts.AGENT)
    run = training.begin()
    assert {name.split(".")[1] for name in run.parameters} == {"actor", "critic"}
    training.close()


def test_accumulated_backwards_are_one_step(folder):
    run = written(folder, scripts.ACCUMULATED).begin()
    run.step()
    assert (run.events.backwards, run.events.updates) == (2, 1)


def test_lazy_modules_have_their_parameters_where_the_first_step_begins(folder):
    run = written(folder, scripts.LAZY).begin()
    state = run.state()
    assert state["model.0.weight"].shape == (4, 3)
    assert not state["model.1.running_mean"].any()  # no call has moved it
    run.step()
    assert run.state()["model.1.running_mean"].any()
    assert (state["model.0.weight"] != run.state()["model.0.weight"]).any()


def test_a_closure_belongs_to_its_update(folder):
    run = written(folder, scripts.CLOSURE).begin()
    begun = []
    with run.events.listening(before_update=begun.append):
        run.step()
    assert (run.events.backwards, run.events.updates) == (3, 1)
    assert len(begun) == 2  # the first was under way, and so is the next
    assert run.events.pending  # the next update goes on with what it has read of its state


def test_an_encoder_that_no_optimiser_holds_is_loaded_before_it_is_called(folder):
    run = written(folder, scripts.PROBE).begin()
    for _ in range(2):
        changed = {name: array + 1 for name, array in run.state().items() if "encoder" in name}
        assert changed
        run.load(changed)
        run.step()
        assert all((run.state()[name] == array).all() for name, array in changed.items())
    run.close()


def test_calls_without_gradients_are_counted_with_their_line(folder, monkeypatch):
    from symmetry.torch.script import evaluations

    seen = Running()
    monkeypatch.setattr(evaluations, "running", seen)
    run = written(folder, scripts.EVALUATED).begin()
    before = seen.evaluations  # a first step was taken to see whether an optimiser steps
    run.step()
    assert seen.evaluations == before + 6
    line = 1 + scripts.EVALUATED.splitlines().index("            found += net(x).sum().item()")
    assert seen.evaluates == f"other.py:{line}"
    assert seen.evaluated > 0
    run.close()


def test_a_step_begins_before_parameters_are_used(folder):
    training = written(folder, scripts.USED_BEFORE_A_CALL)
    assert [units.count for units in find(training).groups] == [8]
    run = training.begin()
    for _ in range(2):
        loaded = run.state()["model.first"] + 1
        run.load({"model.first": loaded})
        run.step()
        assert (abs(run.state()["model.first"] - loaded) < 0.5).all()
    assert len(steps_of(training)) == 16
    run.close()


def test_no_step_begins_where_a_graph_is_drawn(folder):
    training = written(folder, scripts.TRACED)
    assert len(steps_of(training)) == 6
    assert len(steps_of(training, dtype="float64")) == 6
    assert find(training).groups
    calls = training.epochs().of(Called)
    assert len(calls) == 6
    training.close()
