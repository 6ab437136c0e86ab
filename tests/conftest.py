"""What all tests share: marks of what is not quick, what some need, and one Hypothesis profile."""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Container, Generator, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import ParameterSet
from hypothesis import settings

# Threads that wait for each other in each worker cost more than the small arrays of the tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Compilation trips any deadline; the only place where it is switched off for our own tests.
settings.register_profile("symmetry", deadline=None, print_blob=False)
settings.load_profile("symmetry")

# A shell lets what it runs in the background ignore Ctrl-C, and so would all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

STUDIES = Path(__file__).parent / "studies"
# Set in CI: a skipped test fails there, and only these may be missing.
STRICT = bool(os.environ.get("CI_STRICT"))
MAY_BE_MISSING = {
    *("gpu", "timm", "keras", "tinygrad", "tensorflow"),
    *("transformers", "trl", "peft", "lightning"),
}
INSTALLED = {"torch", "greenlet", "safetensors", "xdist", "mpmath"}
LEFT_OUT = pytest.StashKey[Counter[str]]()


def needs(name: str) -> pytest.MarkDecorator:
    """Mark what needs a library, a program or a GPU that the extra ``test`` does not install.

    It is no part of the quick tests. Where the thing is missing it is left out, and the last lines
    of the output say so.
    """
    if name in INSTALLED:
        raise ValueError(f"all tests may use {name}: the extra 'test' installs it")
    return pytest.mark.needs(name)


def slow(*values: Any) -> Any:
    """Return the values of an expensive case of a parametrised test."""
    return pytest.param(*values, marks=pytest.mark.slow)


def few(
    entries: Iterable[Any],
    name: Callable[[Any], str],
    kind: Callable[[Any], object] = lambda _: None,
    number: int = 1,
    dear: Container[str] = (),
) -> list[ParameterSet]:
    """Return entries of a zoo as cases of a test: so many of each kind are quick, the others slow.

    Scripts, whose names end in ".py", come last: a function costs less. Dear ones are always slow.
    """
    seen: Counter[object] = Counter()
    cases = []
    for entry in sorted(entries, key=lambda entry: name(entry).endswith(".py")):
        seen[kind(entry)] += 1
        marks = [pytest.mark.slow] * (seen[kind(entry)] > number or name(entry) in dear)
        cases.append(pytest.param(entry, id=name(entry), marks=marks))
    return cases


@cache
def is_there(name: str) -> bool:
    """Return whether a library, a program or ``"gpu"`` is there."""
    if name == "gpu":
        import torch

        return torch.cuda.is_available()
    return importlib.util.find_spec(name.replace("-", "_")) is not None or bool(shutil.which(name))


def missing(item: pytest.Item) -> str | None:
    """Return the first thing that a test needs and that is not there."""
    needed = [str(mark.args[0]) for mark in item.iter_markers("needs")]
    return next((name for name in needed if not is_there(name)), None)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEFT_OUT] = Counter()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while a million objects are made that stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    """Mark the studies; of what was then selected leave out what needs something missing."""
    for item in items:
        if STUDIES in item.path.parents:
            item.add_marker("study")
    yield
    left_out = [item for item in items if missing(item)]
    unmet = {name for item in left_out if (name := missing(item))} - MAY_BE_MISSING
    if STRICT and unmet:
        raise pytest.UsageError(f"CI must have {', '.join(sorted(unmet))}")
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not missing(item)]


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """Return a folder with nothing beside it, nor beside the folders that it is in.

    A check of a script makes links to that, which would be the folders of a thousand other tests.
    """
    alone = tmp_path / "a" / "b" / "c"
    alone.mkdir(parents=True)
    return alone


@pytest.fixture
def forking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let evaluations be forked, though other tests of this process have left threads."""
    from symmetry.torch.script.epochs.recutting import Recutting

    monkeypatch.setattr(Recutting, "_lacks_threads", lambda _: False)


@pytest.fixture(autouse=True, scope="module")
def frozen() -> None:
    """Let no garbage collection visit what is imported by now: each run of a script ends with one.

    A process that tests holds more than a million objects.
    """
    gc.collect()
    gc.freeze()


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count what is left out, by what it is."""
    for item in items:
        counted = item.config.stash[LEFT_OUT]
        marks = [mark.name for mark in item.iter_markers() if mark.name in ("study", "slow")]
        if name := next(item.iter_markers("needs"), None):
            counted[f"needs {missing(item) or name.args[0]}"] += 1
        elif marks:
            counted[marks[0]] += 1


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let a file that is skipped as a whole fail in CI."""
    report = yield
    if STRICT and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a skipped test fail in CI."""
    report = yield
    if STRICT and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Give what was left out to the process that writes the summary."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left out"] = dict(session.config.stash[LEFT_OUT])


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let one worker run a whole file: what it prepares once is prepared once."""
    from xdist.scheduler import LoadFileScheduling

    return LoadFileScheduling(config, log) if config.getvalue("dist") == "load" else None


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_testnodedown(node: Any) -> None:
    """Take it: each worker has left out the same."""
    node.config.stash[LEFT_OUT] = Counter(getattr(node, "workeroutput", {}).get("left out", {}))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was left out."""
    if counted := config.stash[LEFT_OUT]:
        numbers = ", ".join(f"{number} {name}" for name, number in sorted(counted.items()))
        terminalreporter.write_line(f"left out: {numbers} (python -m pytest -m '' runs all)")
