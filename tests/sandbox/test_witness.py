"""A script in a process of its own: what it raises there, and that it leaves nothing."""

from __future__ import annotations

import importlib
import os
import sys
import time

import pytest

from symmetry.base import fork, ranks
from symmetry.base.calls import running
from symmetry.base.errors import Failure
from symmetry.base.folders import TemporaryFolder
from symmetry.base.importing import when_imported
from symmetry.base.processes import FOLDER
from symmetry.base.updates import PlainRun, UpdateLog
from symmetry.sandbox.source import Source
from symmetry.sandbox.witness import Witness


@pytest.fixture
def plainly(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    with TemporaryFolder() as temporary:
        monkeypatch.setenv(FOLDER, str(temporary))

        def run(text: str, *arguments: str, **more: float) -> PlainRun:
            file = tmp_path / "work" / "train.py"
            file.write_text(text)
            found = Witness(Source("train.py", file, arguments)).whole(**more)
            assert [path.name for path in file.parent.iterdir()] == ["train.py"]
            return found

        yield run


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("open('made.txt', 'w').write('x')", None),
        ("import sys; sys.exit(0)", None),
        ("x = 1\nraise ValueError('no')", ("ValueError", "raises ValueError: no", 2)),
        ("import sys; sys.exit(3)", ("SystemExit", "exits with status 3", 1)),
        ("import sys; sys.exit('no data')", ("SystemExit", "exits with status 1: no data", 1)),
    ],
)
def test_a_failure_is_told_with_its_line(plainly, text, failure):
    expected = failure and Failure(*failure[:2], "train.py", failure[2])
    assert plainly(text) == PlainRun(expected)


def test_it_has_its_arguments_and_no_input(plainly):
    text = "import sys\nassert sys.argv[1:] == ['--epochs', '1']\nassert not sys.stdin.read()"
    assert plainly(text, "--epochs", "1") == PlainRun()


@pytest.mark.parametrize(
    ("text", "killed"),
    [
        ("import time; time.sleep(99)", ""),
        ("import os; os.abort()", "signal SIGABRT"),
        ("import os; os.kill(os.getpid(), 11)", "signal SIGSEGV"),
    ],
)
def test_a_run_without_an_end_has_no_failure(plainly, text, killed):
    assert plainly(text, seconds=1.0) == PlainRun(is_whole=False, killed=killed)


@pytest.mark.parametrize(
    ("end", "run"),
    [("", PlainRun()), ("os.abort()", PlainRun(is_whole=False, killed="signal SIGABRT"))],
)
def test_a_process_that_a_script_leaves_behind_does_not_hold_its_answer(plainly, end, run):
    leaves = "import os, time\nif not os.fork():\n    os.setsid()\n    time.sleep(30)\n"
    began = time.monotonic()
    assert plainly(leaves + end) == run
    assert time.monotonic() - began < 20


def test_a_rank_is_not_run_alone(plainly, monkeypatch):
    monkeypatch.setattr(ranks, "world", lambda: 2)
    assert plainly("raise ValueError") == PlainRun(is_whole=False)


def test_a_failure_repeats_at_its_line() -> None:
    one = Failure("ValueError", "raises ValueError: 1", "train.py", 2)
    assert one.repeats(Failure("ValueError", "raises ValueError: 2", "train.py", 2))
    assert not one.repeats(Failure("ValueError", "raises ValueError: 1", "train.py", 3))
    assert not one.repeats(Failure("TypeError", "raises TypeError", "train.py", 2))
    assert not one.repeats(None)
    nowhere = Failure("ValueError", "raises ValueError: 1")
    assert not nowhere.repeats(nowhere)


_IMPORTS = """
import os
{before}
import importlib.util
assert importlib.util.find_spec("heavy") is not None
import heavy
heavy.update(os.getppid())
"""


def record(log: UpdateLog, *_: object) -> None:
    """Record the calls of a package, which is imported as it may be imported already."""

    def begin() -> None:
        log.add({"parent": (str(sys.modules["heavy"].imported_in),)})
        sys.modules["heavy"].update = lambda number: log.add({"update": (str(number),)})

    when_imported("heavy", begin)


@pytest.fixture
def heavy(tmp_path, monkeypatch):
    """A package that takes long to import, in this process and on the path of others."""
    (tmp_path / "site" / "heavy").mkdir(parents=True)
    text = "import os\nimported_in = os.getpid()\nupdate = None"
    (tmp_path / "site" / "heavy" / "__init__.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(running, "run", 0)
    package = importlib.import_module("heavy")
    yield package
    for name in ("heavy", "heavy.part"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("before", "file", "run", "is_fork"),
    [
        ("", "model.py", 0, True),
        ("from heavy.part import value", "model.py", 0, True),
        ("os.environ['HEAVY'] = '1'", "model.py", 0, False),
        ("del os.environ['HOME']", "model.py", 0, False),
        ("", "heavy.py", 0, False),
        ("", "model.py", 1, False),
    ],
)
def test_the_first_run_is_a_fork_that_need_not_import_the_framework(
    heavy, tmp_path, monkeypatch, before, file, run, is_fork
):
    (tmp_path / "site" / "heavy" / "part.py").write_text("value = 1")
    importlib.import_module("heavy.part")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    script = tmp_path / "work" / "train.py"
    script.write_text(_IMPORTS.format(before=before))
    if file == "heavy.py":  # the script finds this one
        text = (tmp_path / "site" / "heavy" / "__init__.py").read_text()
        (script.parent / file).write_text(text)
    monkeypatch.setattr(fork, "has_pool", lambda: False)
    monkeypatch.setattr(running, "run", run)
    with TemporaryFolder() as temporary:
        monkeypatch.setenv(FOLDER, str(temporary))
        witness = Witness(Source("train.py", script), recorder=record, framework="heavy")
        witness.begin()
        plain = witness.first_updates()
        witness.close()
    assert plain is not None
    assert plain.failure is None
    (imported, (parent,)) = [*plain.updates[0].values(), *plain.updates[1].values()]
    assert parent == str(os.getpid())
    assert (imported == (str(heavy.imported_in),)) == is_fork


def test_a_fork_does_not_decide_that_a_script_fails(heavy, tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    script = tmp_path / "work" / "train.py"
    script.write_text("import sys\nassert 'only_here' not in sys.modules\nimport heavy")
    monkeypatch.setattr(fork, "has_pool", lambda: False)
    monkeypatch.setitem(sys.modules, "only_here", heavy)
    with TemporaryFolder() as temporary:
        monkeypatch.setenv(FOLDER, str(temporary))
        witness = Witness(Source("train.py", script), recorder=record, framework="heavy")
        witness.begin()
        assert witness.first_updates().failure
        assert witness.whole().failure is None
        assert witness.failing is None
        witness.close()
