"""Runs that are forks of one start are the same runs, and leave nothing to the next one."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from symmetry.base import fork
from symmetry.sandbox.routes import threads
from symmetry.sandbox.shared import WRITABLE
from symmetry.torch.script import forks
from symmetry.training.baseline import judged_states
from symmetry.training.capabilities.batching import FewSamples, Thinning
from symmetry.training.run import RunSettings
from symmetry.units.state import identical
from tests.finding import test_find_in_few
from tests.torch.script import scripts
from tests.torch.script.helpers import written

pytestmark = pytest.mark.skipif(not fork.POSSIBLE, reason="processes are forked on Linux alone")

WRITES = """
import logging
import os
import torch

logging.getLogger("own").addHandler(logging.FileHandler("log.txt"))
model = torch.nn.Linear(4, 2)
optimizer = torch.optim.Adam(model.parameters(), 0.1)
os.mkdir("out")
for step in range(8):
    optimizer.zero_grad()
    model(torch.randn(8, 4)).square().mean().backward()
    optimizer.step()
    assert not os.path.exists(f"out/{step}.pt")
    torch.save(model.state_dict(), f"out/{step}.pt")
    logging.getLogger("own").warning("%s", step)
    assert len(open("log.txt").readlines()) == step + 1
"""
DEAR = """
import time

began = time.process_time()
while time.process_time() < began + 0.5:
    pass
"""
THREAD = """
import threading
import torch

end = threading.Event()
threading.Thread(target=end.wait, daemon=True).start()
model = torch.nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
try:
    for step in range(8):
        optimizer.zero_grad()
        model(torch.randn(8, 4)).square().mean().backward()
        optimizer.step()
finally:
    end.set()
"""
DIES = """
import os
import torch

process = os.getpid()
model = torch.nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for step in range(8):
    optimizer.zero_grad()
    model(torch.randn(8, 4)).square().mean().backward()
    optimizer.step()
    if os.getpid() != process:
        os.kill(os.getpid(), 9)
"""
FLOAT32, FLOAT64 = RunSettings(), RunSettings(dtype="float64", noise=False)


class Begun:
    """A script that notes each of its starts."""

    def __init__(self, folder, text, notes):
        note = f"with open({str(notes)!r}, 'a') as file:\n    file.write('.')\n"
        self.training, self._notes = written(folder, note + text), notes
        for _ in range(2):  # the second start is measured
            self.training.begin().close()

    @property
    def starts(self):
        """How often it has begun."""
        return len(self._notes.read_text())

    def check(self, *settings):
        """Compare each run in a fork with one that begins at the first line."""
        for each in settings:
            expected = judged_states(self.training.begin(each))
            found = self.training.with_run(judged_states, each)
            assert len(found) == len(expected)
            assert all(map(identical, found, expected))


@pytest.fixture
def begin(folder, tmp_path_factory, monkeypatch):
    """Return what begins a script of this text, which notes each start outside of its mirror."""
    begun, notes = [], tmp_path_factory.mktemp("notes")
    monkeypatch.setenv(WRITABLE, str(notes))

    def begin(text):
        begun.append(Begun(folder, text, notes / f"starts {len(begun)}"))
        return begun[-1]

    yield begin
    for each in begun:
        each.training.close()


@pytest.fixture(autouse=True)
def without_others(monkeypatch):
    """Fork in any process: other tests may have left threads and pools of theirs in this one."""
    others = set(forks.threads())
    monkeypatch.setattr(forks, "has_pool", lambda: False)
    monkeypatch.setattr(forks, "threads", lambda: set(threads()) - others)


@pytest.fixture
def paying(monkeypatch):
    """Let each start pay, however cheap it is."""
    monkeypatch.setattr(forks, "LEAST", 0.0)
    monkeypatch.setattr(forks, "TIMES", 0.0)


def test_forks_of_one_start_take_the_same_steps_in_either_precision(begin, paying):
    script = begin(scripts.PLAIN)
    script.check(FLOAT32, FLOAT64, FLOAT32)
    starts = script.starts
    assert script.training.with_run(lambda run: run.taken, FLOAT64) == 0
    assert script.starts == starts


def test_a_fork_begins_from_the_state_that_is_loaded_into_it(begin, paying):
    script = begin(scripts.PLAIN)

    def loaded(run):
        run.load({"model.second.bias": np.full(2, 7.0)})
        return run.state()["model.second.bias"].tolist()

    assert script.training.with_run(loaded, FLOAT64) == [7.0, 7.0]
    bias = script.training.with_run(lambda run: run.state()["model.second.bias"], FLOAT64)
    assert 7.0 not in bias


def test_no_fork_finds_a_file_that_another_one_has_written(begin, paying, folder):
    script = begin(WRITES)
    script.check(FLOAT32, FLOAT64)
    starts = script.starts
    script.training.with_run(judged_states, FLOAT32)
    assert script.starts == starts
    script.training.close()
    assert sorted(path.name for path in folder.iterdir()) == ["network.py", "other.py", "train.py"]


def test_a_dear_start_is_kept_by_itself(begin):
    script = begin(f"{DEAR}{WRITES}")
    starts = script.starts
    for _ in range(3):
        script.training.with_run(judged_states, FLOAT32)
    assert script.starts == starts + 1


def test_a_start_that_is_cheaper_than_a_fork_is_not_kept(begin, monkeypatch):
    monkeypatch.setattr(forks, "forked", lambda _: pytest.fail("forked"))
    monkeypatch.setattr(forks, "LEAST", 60.0)
    begin(scripts.PLAIN).check(FLOAT32)


@pytest.mark.parametrize("text", [THREAD, DIES], ids=["a thread", "a fork that dies"])
def test_what_cannot_be_forked_begins_at_its_first_line(begin, paying, text):
    script = begin(text)
    script.check(FLOAT32)
    starts = script.starts
    script.check(FLOAT64)
    assert script.starts == starts + 2


@pytest.mark.parametrize(("module", "can"), [("tqdm._monitor", True), ("train", False)])
def test_a_thread_that_only_shows_progress_allows_a_fork(monkeypatch, module, can):
    monitor = type("Monitor", (threading.Thread,), {"__module__": module})()
    monkeypatch.setattr(forks, "threads", lambda: [monitor])
    monkeypatch.setattr(forks, "has_pool", lambda: False)  # of another test
    assert forks.can_fork(fork.held()) is can


def test_a_function_that_begins_another_run_is_called_here(begin, paying):
    training = begin(scripts.PLAIN).training

    def both(run):
        return judged_states(run)[0], judged_states(training.begin(FLOAT32))[0]

    one, other = training.with_run(both, FLOAT32)
    assert identical(one, other)


def test_another_order_of_samples_begins_at_the_first_line(begin, paying):
    script = begin(scripts.PLAIN)
    starts = script.starts
    turned = RunSettings(order=np.arange(8)[::-1])
    for _ in range(2):
        script.training.with_run(judged_states, turned)
    assert script.starts == starts + 2


def test_runs_of_few_samples_share_a_start_of_their_own(begin, paying):
    script = begin(test_find_in_few.SCRIPT.format(loop=test_find_in_few.LOADER))
    few = RunSettings(order=FewSamples(8))

    def thinned(run):
        run.step()
        return run.capability(Thinning).thinned

    starts = script.starts
    assert [script.training.with_run(thinned, each) for each in (few, few)] == [True, True]
    assert script.starts == starts + 1
    assert not script.training.with_run(thinned, FLOAT32)
