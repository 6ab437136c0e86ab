from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from symmetry.base.errors import SymmetryError
from symmetry.experiment import run as experiment
from symmetry.experiment.run import Point, run_experiment
from symmetry.experiment.settings import Settings
from symmetry.network import formulas
from tests.tiny import FirstRowCore, LastUnitCore, LivingDeadCore, tiny_data

SETTINGS = Settings(hidden=5, iterations=6)


def test_the_defaults_are_the_experiments_own() -> None:
    assert dataclasses.asdict(Settings()) == {
        "hidden": 200,
        "iterations": 100,
        "lr": 0.01,
        "dtype": "float32",
        "init": "zero",
        "seed": 0,
        "collapsed": False,
        "control": True,
    }


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_zero_start_is_the_training_of_the_formulas(dtype: str) -> None:
    data = tiny_data()
    record = run_experiment(data, dataclasses.replace(SETTINGS, dtype=dtype))
    x, test_x = data.train_x.astype(np.float64), data.test_x.astype(np.float64)
    y = formulas.one_hot_encode(data.train_labels, data.classes, "float64")
    w1: formulas.Floats = np.zeros((7, 5))
    w2: formulas.Floats = np.zeros((6, 3))
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    for point in record.history:
        w1, w2 = formulas.step(x, y, w1, w2, 0.01)
        assert point.loss == pytest.approx(formulas.loss(x, y, w1, w2), abs=tolerance)
        assert point.accuracy == formulas.accuracy(test_x, data.test_labels, w1, w2)
    assert [point.iteration for point in record.history] == [1, 2, 3, 4, 5, 6]
    assert record.last[0].dtype == record.last[1].dtype == dtype
    np.testing.assert_allclose(record.last[0], w1, atol=tolerance)
    np.testing.assert_allclose(record.last[1], w2, atol=tolerance)
    assert not record.first[0].any()
    assert record.first[1].any()


def test_the_collapsed_network_is_really_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment, "Core", FirstRowCore)
    differences = run_experiment(tiny_data(), SETTINGS).differences
    assert differences is not None
    assert differences["w2"] > 0.1


def test_the_control_is_the_run_from_a_random_start() -> None:
    data = tiny_data()
    control = run_experiment(data, dataclasses.replace(SETTINGS, seed=3)).control
    alone = run_experiment(data, dataclasses.replace(SETTINGS, seed=3, init="random"))
    assert control is not None
    assert control.settings.seed == 3
    assert control.distinct == 5
    assert control.history == alone.history
    assert (control.last[0] == alone.last[0]).all()
    assert abs(alone.first[0]).max() < 0.02


def test_a_random_start_is_compared_but_not_judged() -> None:
    record = run_experiment(tiny_data(), dataclasses.replace(SETTINGS, init="random"))
    assert not record.violated
    assert record.control is None
    assert record.differences is None
    assert [outcome.holds for outcome in record.outcomes] == [None, None]
    assert [outcome.distinct for outcome in record.outcomes] == [5, 5]


@pytest.mark.parametrize("init", ["zero", "random"])
def test_the_collapsed_network_alone(init: str) -> None:
    settings = dataclasses.replace(SETTINGS, init=init, collapsed=True)
    record = run_experiment(tiny_data(), settings)
    w1, w2 = record.last
    assert w1.shape == (7, 5)
    assert w2.shape == (6, 3)
    assert (w1 == w1[:, :1]).all()
    assert (w2[1:] == w2[1]).all()
    assert w1.any()
    assert record.control is None
    assert record.differences is None
    assert all(outcome.holds for outcome in record.outcomes)
    assert all((o.max_ulps, o.distinct, o.iterations) == (0, 1, 6) for o in record.outcomes)


def test_the_collapsed_network_is_the_full_one() -> None:
    full = run_experiment(tiny_data(), SETTINGS)
    collapsed = run_experiment(tiny_data(), dataclasses.replace(SETTINGS, collapsed=True))
    for a, b in zip(full.history, collapsed.history, strict=True):
        assert a.loss == pytest.approx(b.loss, abs=1e-6)
    np.testing.assert_allclose(collapsed.last[0], full.last[0], atol=1e-6)


@pytest.mark.parametrize(
    ("core", "place", "step", "groups"),
    [
        (LastUnitCore, 0, 2, ((0, 1, 2, 3), (4,))),  # the first step does not move w1
        (FirstRowCore, 1, 1, ((0,), (1, 2, 3, 4))),
        (LivingDeadCore, 2, 2, ((0,), (1,))),  # a row of zeros, and that of the dead input
    ],
)
def test_a_broken_core_is_seen(
    core: type, place: int, step: int, groups: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiment, "Core", core)
    record = run_experiment(tiny_data(), SETTINGS)
    outcome = record.outcomes[place]
    assert record.violated
    assert outcome.holds is False
    assert outcome.max_ulps > 0
    assert outcome.distinct == 2
    assert outcome.split is not None
    assert (outcome.split.step, outcome.split.groups) == (step, groups)


def test_a_broken_core_is_no_violation_from_a_random_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment, "Core", LastUnitCore)
    settings = dataclasses.replace(SETTINGS, init="random")
    assert not run_experiment(tiny_data(), settings).violated


def test_a_run_that_diverges_is_compared_up_to_there() -> None:
    record = run_experiment(tiny_data(), Settings(hidden=4, iterations=9, lr=1e38))
    assert not np.isfinite(record.last[0]).all()
    assert not record.violated
    assert len(record.history) == 9
    assert record.outcomes[0].iterations == 2
    assert record.differences is not None
    assert np.isfinite(list(record.differences.values())).all()


def test_facts_and_confusion_count_the_data() -> None:
    data = tiny_data(classes=3)
    record = run_experiment(data, SETTINGS)
    assert record.data.never_lit.tolist() == [True, False, False, False, False, False]
    labels = record.confusion.sum(axis=1)
    assert labels.tolist() == np.bincount(data.test_labels, minlength=3).tolist()
    correct = int(np.trace(record.confusion))
    assert record.history[-1].accuracy == 100 * correct / 5


def test_threads_change_nothing() -> None:
    one, two = (run_experiment(tiny_data(train=600), SETTINGS, threads=n) for n in (1, 2))
    assert one.history == two.history
    assert one.last[0].tobytes() == two.last[0].tobytes()
    assert one.last[1].tobytes() == two.last[1].tobytes()


class Diary:
    def __init__(self, interrupt_after: int = 1000) -> None:
        self.entries: list[tuple[str, int]] = []
        self._left = interrupt_after

    def __call__(self, what: str, point: Point | None, iterations: int) -> None:
        self.entries.append((what, point.iteration if point else 0))
        self._left -= bool(point)
        if not self._left:
            raise KeyboardInterrupt


def test_the_observer_is_told_in_order() -> None:
    diary = Diary()
    run_experiment(tiny_data(), Settings(hidden=2, iterations=2), listener=diary)
    assert diary.entries == [
        ("compiling the core, once", 0),
        ("zero start", 1),
        ("zero start", 2),
        ("control (random start)", 1),
        ("control (random start)", 2),
    ]


@pytest.mark.parametrize("collapsed", [False, True])
def test_what_cannot_fit_into_memory_is_refused(collapsed: bool) -> None:
    settings = Settings(hidden=10**12, collapsed=collapsed)
    with pytest.raises(SymmetryError, match=r"this would take [\d.]+ [TP]iB of memory"):
        run_experiment(tiny_data(), settings)


@pytest.mark.parametrize("lr", [1e-60, 1e60, float("nan"), float("inf"), 0.0, -1.0])
def test_a_learning_rate_must_be_a_number_in_the_dtype(lr: float) -> None:
    with pytest.raises(SymmetryError, match="finite and positive in float32"):
        Settings(lr=lr)
