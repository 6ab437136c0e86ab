from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.experiment.run import run_experiment
from symmetry.experiment.settings import Settings
from symmetry.law.case import Case
from tests.conftest import needs
from tests.studies.frameworks import process
from tests.studies.frameworks.compare import ComparisonListener, compare
from tests.studies.frameworks.entrant import parse_entrants
from tests.studies.frameworks.process import EntrantError
from tests.studies.frameworks.record import Comparison, TrainerPoint
from tests.studies.frameworks.task import Task, task_of_case
from tests.tiny import tiny_data

FILE = Path(__file__).with_name("steps.py")
SETTINGS = Settings(hidden=5, iterations=4, control=False)


def task(settings: Settings = SETTINGS) -> Task:
    return Task(tiny_data(), settings)


def run(
    *names: str, optional: bool = False, listener: ComparisonListener | None = None
) -> Comparison:
    entrants = parse_entrants(tuple(name.replace("FILE", str(FILE)) for name in names))
    return compare(task(), entrants, threads=1, optional=optional, listener=listener)


class Diary(ComparisonListener):
    def __init__(self) -> None:
        self.entries: list[object] = []

    def begin(self, task: Task, names: tuple[str, ...]) -> None:
        self.entries.append([name.rpartition(":")[2] for name in names])

    def left_out(self, name: str, reason: str) -> None:
        self.entries.append(reason)

    def point(self, name: str, point: TrainerPoint) -> None:
        self.entries.append((name.rpartition(":")[2], point.iteration))

    def turn(self, iteration: int) -> None:
        self.entries.append(iteration)

    def end(self, comparison: Comparison) -> None:
        self.entries.append(len(comparison.runs))


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Collect the processes that are started, to see that all of them end."""
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def remember(*arguments: object, **options: object) -> object:
        started.append(start(*arguments, **options))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", remember)
    return started


def test_the_core_trains_as_in_the_experiment_and_others_beside_it() -> None:
    core, numpy, sound, last = run("numba", "numpy", "FILE:sound", "FILE:last_unit").runs
    experiment = run_experiment(tiny_data(), SETTINGS)
    assert [(p.loss, p.accuracy) for p in core.history] == [
        (p.loss, p.accuracy) for p in experiment.history
    ]
    for other in (numpy, sound):
        assert [p.loss for p in other.history] == pytest.approx([p.loss for p in core.history])
        assert other.split is None
    assert (numpy.entrant.step_only, sound.entrant.step_only) == (False, True)
    assert last.split == last.history[0]
    assert last.groups == ((0, 1, 2, 3), (4,))
    assert all(p.seconds > 0 for p in (*numpy.history, *sound.history))
    assert "numba" in core.versions
    assert "numba" not in numpy.versions
    assert "Numba: 1 thread" in core.loaded
    assert numpy.loaded
    assert all(line.endswith(": 1 thread") for line in numpy.loaded)


def test_they_take_turns_and_another_one_begins_every_time() -> None:
    diary = Diary()
    run("numpy", "FILE:sound", "FILE:last_unit", listener=diary)
    first, *entries, last = diary.entries
    assert first == ["numpy", "sound", "last_unit"]
    assert last == 3
    order = [entry[0] for entry in entries if isinstance(entry, tuple)]
    assert order[:3] == ["numpy", "sound", "last_unit"]
    assert order[3:6] == ["sound", "last_unit", "numpy"]
    assert [entry for entry in entries if isinstance(entry, int)] == [1, 2, 3, 4]


def test_settings_reach_the_process() -> None:
    one, two = run("FILE:variable[SOME_NUMBER=1]", "FILE:variable[SOME_NUMBER=2]").runs
    assert one.split is two.split is None
    assert one.counted
    assert one.name.endswith("[SOME_NUMBER=1]")
    with pytest.raises(EntrantError, match=r"KeyError: .SOME_NUMBER."):
        run("FILE:variable")


def test_numbers_that_are_not_finite_end_the_comparison_only() -> None:
    (exploding,) = run("FILE:explodes").runs
    assert len(exploding.history) == 4
    assert exploding.compared == 2
    assert exploding.split is None


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("FILE:Third", "three is too many"),
        ("FILE:dies", "signal SIGKILL): about to die"),
        ("FILE:missing", "no attribute 'missing'"),
        ("nonsense", "unknown target 'nonsense'"),
        ("nonsense.module:step", "No module named 'nonsense'"),
        ("FILE:sound[PYTHONHASHSEED=x]", "its process ended (exit status"),
    ],
)
def test_a_trainer_that_fails(
    name: str, phrase: str, processes: list[subprocess.Popen[bytes]]
) -> None:
    with pytest.raises(EntrantError) as caught:
        run("numpy", name)
    message = str(caught.value)
    assert phrase in message
    assert message.count(repr(caught.value.name)) == 1 + message.count("unknown target")
    assert len(message.splitlines()) == 1
    assert len(processes) == 2
    assert all(each.poll() is not None for each in processes)


def test_a_trainer_that_fails_can_be_left_out(processes: list[subprocess.Popen[bytes]]) -> None:
    diary = Diary()
    comparison = run("numpy", "FILE:Third", "FILE:missing", optional=True, listener=diary)
    assert [each.name for each in comparison.runs] == ["numpy"]
    assert len(comparison.runs[0].history) == 4
    (missing, no_attribute), (third, raised) = comparison.left_out.items()
    assert missing.endswith("missing")
    assert third.endswith("Third")
    assert raised.startswith("the step raised ValueError: three is too many")
    assert "has no attribute 'missing'" in no_attribute
    assert raised in diary.entries
    assert all(each.poll() is not None for each in processes)


def test_if_none_is_left_that_is_an_error() -> None:
    with pytest.raises(SymmetryError, match=r"no trainer is left; .*about to die"):
        run("FILE:dies", optional=True)


def test_an_interruption_ends_all_processes(processes: list[subprocess.Popen[bytes]]) -> None:
    class Interrupting(ComparisonListener):
        def point(self, name: str, point: TrainerPoint) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("numpy", "FILE:sound", listener=Interrupting())
    assert len(processes) == 2
    assert all(each.poll() is not None for each in processes)


def test_a_worker_ends_with_who_started_it(processes: list[subprocess.Popen[bytes]]) -> None:
    (entrant,) = parse_entrants(("numpy",))
    worker = process.Process(entrant, 1)
    (popen,) = processes
    assert popen.stdin is not None
    popen.stdin.close()
    assert popen.wait(timeout=60) == 0
    worker.close()


def test_a_trainer_that_does_not_take_the_dtype() -> None:
    settings = Settings(hidden=2, iterations=1, dtype="float64")
    with pytest.raises(EntrantError, match="float32 only, not float64"):
        compare(task(settings), parse_entrants((f"{FILE}:only32",)), threads=1)


def test_what_cannot_fit_into_memory_is_refused_before_anything_starts(
    processes: list[subprocess.Popen[bytes]],
) -> None:
    with pytest.raises(SymmetryError, match="this would take"):
        compare(task(Settings(hidden=10**12)), parse_entrants(("numpy",)))
    assert processes == []


def test_a_case_is_a_task_without_a_test_set() -> None:
    case = Case(9, 4, 3, 2, 0.5, 3, "float64", "normals", "zero", 0)
    (numpy,) = compare(task_of_case(case), parse_entrants(("numpy",)), threads=1).runs
    assert len(numpy.history) == 3
    assert {p.accuracy * 9 / 100 for p in numpy.history} <= set(map(float, range(10)))


def test_a_case_whose_units_do_not_start_identical() -> None:
    case = Case(9, 4, 3, 2, 0.5, 3, "float64", "normals", "scaled", 0)
    with pytest.raises(SymmetryError, match='"weights" must be "zero", not "scaled"'):
        task_of_case(case)


def test_torch_with_settings() -> None:
    names = ("torch", "torch[deterministic,threads=2]", "torch-autograd")
    plain, deterministic, autograd = run(*names).runs
    losses = [p.loss for p in plain.history]
    assert [p.loss for p in deterministic.history] == pytest.approx(losses)
    assert [p.loss for p in autograd.history] == pytest.approx(losses)
    assert any(line.startswith("PyTorch: 1 thread, ") for line in plain.loaded)
    assert any(line.startswith("PyTorch: 2 threads, ") for line in deterministic.loaded)


@needs("jax")
def test_jax_counts_the_cores_it_may_use() -> None:
    (jax,) = run("jax[threads=1]").runs
    assert "jax" in jax.versions
    assert "XLA: 1 thread, as many as cores it may run on" in jax.loaded
