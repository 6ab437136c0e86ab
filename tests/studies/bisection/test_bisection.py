"""A search over releases, with environments and commands that are only pretended."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from symmetry.base.errors import SymmetryError
from tests.studies.bisection import bisection, memory
from tests.studies.bisection.bisection import Bisection
from tests.studies.bisection.environment import CannotInstall
from tests.studies.bisection.search import Change
from tests.studies.bisection.trial import Trial

RELEASES = ["1.0", "1.1", "1.2", "1.3", "1.4"]
WORDS = ["check", "train.py"]


@pytest.fixture
def runs(monkeypatch, tmp_path):
    """Return the releases that were run; 1.2 cannot be installed, later ones break an invariant."""
    made: list[str] = []

    def environment(folder, package, release, more):
        if release == "1.2":
            raise CannotInstall("No matching distribution")
        return Path(release)

    def tried(python, release, words):
        made.append(release)
        late = release > "1.2"
        return Trial(release, int(late), ("loss/pairs",) * late, "train.py: ...", 0.1)

    monkeypatch.setattr(bisection, "environment", environment)
    monkeypatch.setattr(bisection, "tried", tried)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("1")
    return made


def search(folder, releases=RELEASES, **more):
    told: list[str] = []
    doing: list[tuple[str, int, int | None]] = []
    made = Bisection("lib", WORDS, folder, **more)
    change = made.change(releases, lambda t: told.append(t.line), lambda *d: doing.append(d))
    return change, told, doing


def test_a_release_that_cannot_be_installed_is_passed_over(runs, tmp_path):
    change, told, doing = search(tmp_path)
    assert change == Change(1, 3, (2,))
    assert runs == ["1.0", "1.4", "1.1", "1.3"]
    assert told[2] == "cannot be installed: No matching distribution"
    assert doing[:2] == [("lib 1.0", 1, 4), ("lib 1.4", 2, 4)]


@pytest.mark.parametrize(("failing", "change"), [("1.1", Change(0, 3, (1, 2))), ("1.4", None)])
def test_a_release_with_which_the_script_fails_is_passed_over_unless_an_end_does(
    runs, tmp_path, monkeypatch, failing, change
):
    def tried(python, release, words):
        late = release > "1.2"
        return Trial(release, int(late), ("a",) * late, "train.py", 0.1, fails=release == failing)

    monkeypatch.setattr(bisection, "tried", tried)
    assert search(tmp_path)[0] == (change or Change(1, 3, (2,)))


@pytest.mark.parametrize(("number", "most"), [(2, 2), (3, 3), (4, 4), (5, 4)])
def test_the_progress_counts_no_release_that_is_never_tried(runs, tmp_path, number, most):
    releases = [f"0.{n}" for n in range(number - 1)] + ["2.0"]
    _, _, doing = search(tmp_path, releases)
    assert {of for _, _, of in doing} == {most}
    assert len(doing) <= most


def test_another_search_uses_verdicts_that_are_known(runs, tmp_path):
    first = search(tmp_path)[0]
    runs.clear()
    assert search(tmp_path)[0] == first
    assert runs == []
    search(tmp_path, again=True)
    assert runs == ["1.0", "1.4", "1.1", "1.3"]


@pytest.mark.parametrize("changed", ["script", "requirements", "library"])
def test_a_verdict_is_forgotten_if_what_it_depends_on_changes(runs, tmp_path, changed, monkeypatch):
    search(tmp_path)
    runs.clear()
    if changed == "library":
        other = SimpleNamespace(name="torch", version="0.1")
        monkeypatch.setattr(memory, "distributions", lambda: [other])
    if changed == "script":
        (tmp_path / "train.py").write_text("2")
    search(tmp_path, more=["numpy<2"] if changed == "requirements" else [])
    assert runs == ["1.0", "1.4", "1.1", "1.3"]


def test_an_interrupted_search_goes_on(runs, tmp_path, monkeypatch):
    whole = bisection.tried

    def interrupted(python, release, words):
        if release == "1.1":
            raise KeyboardInterrupt
        return whole(python, release, words)

    with monkeypatch.context() as patched:
        patched.setattr(bisection, "tried", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path)
    assert runs == ["1.0", "1.4"]
    search(tmp_path)
    assert runs == ["1.0", "1.4", "1.1", "1.3"]


def test_both_ends_have_to_be_judged(runs, tmp_path):
    with pytest.raises(SymmetryError) as raised:
        search(tmp_path, ["1.2", "1.3"])
    assert str(raised.value) == (
        "lib 1.2 cannot be judged: cannot be installed: No matching distribution"
    )
