"""The plugin of pytest: targets as tests, by ``--symmetry NAME``.

    pytest --symmetry train.py           one test for the script
    pytest --symmetry train.py -v        one test for each check that applies to it
    pytest --symmetry                    the targets of [tool.symmetry] in pyproject.toml

Each target is checked once, by the command in a process of its own; with pytest-xdist once for all
workers. Nothing heavy is imported here: pytest loads this file for every project.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

# How the reason of a skipped test begins that speaks of nothing in its target: it is left out.
NO_TEST = "nothing to test"
WHOLE = "symmetry"  # the test of a whole target
_MOST_ALONE = 4  # tests of one target that are run without its other checks
_RESULTS = pytest.StashKey[dict[str, "_Result"]]()


class CheckFailed(Exception):  # noqa: N818
    """A check that failed: the message is all that a user reads."""


class _Result:
    """The result of one check as the command has printed it."""

    def __init__(self, found: Mapping[str, Any], text: str) -> None:
        self.found, self.text = found, text
        self.problems: Sequence[Mapping[str, Any]] = found["problems"]

    def of(self, name: str) -> Mapping[str, Any] | None:
        """Return the violation of a check, if there is one."""
        return next((p for p in self.violations if name in (p["check"], *p.get("also", ()))), None)

    @property
    def violations(self) -> list[Mapping[str, Any]]:
        """The problems that fail the check."""
        return [problem for problem in self.problems if problem["level"] == "violation"]

    def why_not(self, name: str) -> str | None:
        """Say why a check is not judged; empty if it speaks of nothing in the target.

        None if it is judged.
        """
        if name in self.found["judged"] or self.of(name) is not None:
            return None
        entries = (each for each in self.found["not_judged"] if name in each["checks"])
        return next((each["why"] for each in entries if each["applies"]), "")


class CheckItem(pytest.Item):
    """The test of a target, or of one check of it."""

    def __init__(self, *, target: str, options: Sequence[str], **facts: Any) -> None:
        super().__init__(**facts)
        self.target, self._options = target, options

    def runtest(self) -> None:
        """Fail with the problem of this check, or of the target."""
        found = self._result()
        if self.name != WHOLE:
            self._run_one(found)
            return
        # Other tests tell of their own problems.
        told = {each.name for each in self._of_target() if each is not self}
        new = [p for p in found.violations if told.isdisjoint((p["check"], *p.get("also", ())))]
        if new or (found.found["exit_status"] and not found.violations):
            raise CheckFailed(found.text.strip() or found.found["conclusion"])

    def _run_one(self, found: _Result) -> None:
        for note in found.problems:
            if note["level"] == "note":
                self.user_properties.append((note["check"], note["fact"]))
        if (problem := found.of(self.name)) is not None:
            self.user_properties.append(("symmetry", problem["id"]))
            raise CheckFailed(_described(problem))
        if why := found.why_not(self.name):
            pytest.skip(why)

    @property
    def applies(self) -> bool:
        """Whether its check speaks of anything in the target; true while that is not known."""
        if self.name == WHOLE:
            return True
        try:
            return self._result().why_not(self.name) != ""
        except CheckFailed:
            return True

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """Return the message of a check without a traceback."""
        if isinstance(excinfo.value, CheckFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the file of the target, and the name of this test."""
        return self.path, None, f"{self.target}: {self.name}"

    def _of_target(self) -> list[CheckItem]:
        """Return the tests of this target that are selected."""
        items = (each for each in self.session.items if isinstance(each, CheckItem))
        return [each for each in items if each.target == self.target]

    def _result(self) -> _Result:
        known = self.config.stash.setdefault(_RESULTS, {})
        if self.target not in known:
            names = [each.name for each in self._of_target()]
            few = WHOLE not in names and len(names) <= _MOST_ALONE
            only = [word for name in names if few for word in ("--only", name)]
            known[self.target] = _checked(self.config, self.target, [*self._options, *only])
        return known[self.target]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names targets."""
    parser.getgroup("symmetry").addoption(
        "--symmetry",
        metavar="NAME",
        action="append",
        nargs="?",
        const="",
        default=[],
        help="Test a training as `symmetry check NAME` does; without NAME the targets of "
        "[tool.symmetry] in pyproject.toml. With -v each check is a test. Repeatable.",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the tests of the targets that are named."""
    new: list[pytest.Item] = []
    for target in dict.fromkeys(_targets(config)):
        for name in _tests(config, target):
            path = Path(target.split()[0])
            item = CheckItem.from_parent(
                session,
                name=name,
                nodeid=f"{target}::{name}",
                path=config.invocation_params.dir / path,
                target=target,
                options=(),
            )
            new.append(item)
    if new:
        items += new
        # The line "collected N items" counts what such reports have.
        report = pytest.CollectReport("", "passed", None, [*new])
        config.hook.pytest_collectreport(report=report)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Leave out the test of a check that speaks of nothing in its target."""
    if isinstance(item, CheckItem):
        if item.applies:
            return None
    elif not _tests_an_invariant(item) or _reported(item, nextitem):
        return True if _tests_an_invariant(item) else None
    # If nothing is left at the end, pytest would say that there were no tests at all.
    item.session.testscollected = max(item.session.testscollected - 1, 1)
    item.config.hook.pytest_deselected(items=[item])
    return True


def _tests_an_invariant(item: pytest.Item) -> bool:
    """Return whether a test was made by ``check_training`` or ``parametrize_invariants``."""
    marks = (mark.args[0] for mark in item.iter_markers("parametrize") if mark.args)
    return not {*marks}.isdisjoint(("invariant", "invariant_check"))


def _reported(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test, and report it unless its invariant speaks of nothing; return whether it did."""
    from _pytest.runner import runtestprotocol

    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    if any(NO_TEST in str(each.longrepr) for each in reports if each.skipped):
        return False
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for each in reports:
        item.ihook.pytest_runtest_logreport(report=each)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _targets(config: pytest.Config) -> Iterator[str]:
    """Yield the names of the targets, those of the table for an empty one."""
    for name in config.getoption("--symmetry"):
        yield from [name] if name else _of_table(config.invocation_params.dir)


def _of_table(folder: Path) -> list[str]:
    import tomllib

    file = folder / "pyproject.toml"
    text = file.read_text("utf-8") if file.is_file() else ""
    found = tomllib.loads(text).get("tool", {}).get("symmetry", {}).get("targets", [])
    if not found:
        raise pytest.UsageError(f"--symmetry: {file} names no targets in [tool.symmetry]")
    return [found] if isinstance(found, str) else [*found]


def _tests(config: pytest.Config, target: str) -> list[str]:
    """Return the names of the tests of a target."""
    if config.get_verbosity() < 1 and not _failed_alone(config, target):
        return [WHOLE]
    from symmetry.targets.kinds import invariants

    return [*dict.fromkeys(each.name for each in invariants() if each.default), WHOLE]


def _failed_alone(config: pytest.Config, target: str) -> bool:
    """Return whether single checks of a target are what ``--last-failed`` asks for."""
    cache = getattr(config, "cache", None)
    if cache is None or not getattr(config.option, "lf", False):
        return False
    failed = (name.rpartition("::") for name in cache.get("cache/lastfailed", {}))
    return any(of == target and name != WHOLE for of, _, name in failed)


def _checked(config: pytest.Config, target: str, options: Sequence[str]) -> _Result:
    """Return the result of a check, which other workers of this run may have by now."""
    with _shared(config, target) as file:
        if not (file.exists() and file.stat().st_size):
            _check(target, options, file, config.invocation_params.dir)
        kept = json.loads(file.read_text("utf-8"))
    return _Result(kept["found"], kept["text"])


def _check(target: str, options: Sequence[str], file: Path, folder: Path) -> None:
    """Check a target in a process of its own, and write its result and its answer."""
    from symmetry.base.names import typed

    words, behind = typed(target)
    with tempfile.TemporaryDirectory() as temporary:
        result = Path(temporary, "result.json")
        told = ("--json", str(result), *options, "--", *behind)
        done = subprocess.run(
            [sys.executable, "-m", "symmetry", "check", *words, *told],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        try:
            found = json.loads(result.read_text("utf-8"))
        except (OSError, ValueError):
            raise CheckFailed(f"{target}: {done.stderr.strip() or 'it has no result'}") from None
    said = done.stdout.partition("wrote ")[0]
    text = f"{said}\n{done.stderr}" if done.returncode == 2 else said
    file.write_text(json.dumps({"found": found, "text": text}), "utf-8")


@contextmanager
def _shared(config: pytest.Config, target: str) -> Iterator[Path]:
    """Yield the file of a result that all workers of a run share, while no other has it."""
    worker = getattr(config, "workerinput", None)
    if worker is None:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary, "result")
        return
    factory = config._tmp_path_factory  # type: ignore[attr-defined]
    folder = Path(factory.getbasetemp().parent, "symmetry")
    folder.mkdir(exist_ok=True)
    file = folder / f"{target.encode().hex()[:80]}.json"
    with file.with_suffix(".lock").open("w") as lock:
        with suppress(ImportError):  # on Windows each worker checks by itself
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield file


def _described(problem: Mapping[str, Any]) -> str:
    """Return a problem in lines."""
    where = f"{problem['file']}:{problem['line']}" if problem["file"] else problem["check"]
    rows = [f"{where}: {problem['check']}"]
    rows += [f"      {problem['code']}"] if problem["code"] else []
    facts = {
        "fact": problem["fact"],
        "cause": problem["likely_cause"],
        "cure": problem["cure"]["text"],
        "repeat": problem["repeat"],
        "about": problem["about"],
    }
    rows += [f"  {label:<7} {text}" for label, text in facts.items() if text]
    return "\n".join(rows)
