"""``symmetry check --resume-with``: exit status, texts, and the command that repeats it."""

from __future__ import annotations

import re

import pytest

from tests.cli import inside
from tests.cli.process import assert_one_line, symmetry
from tests.conftest import needs
from tests.invariants.resume.scripts import FAULTS, text
from tests.jax.script import resumed_scripts

ARGUMENTS = "--resume-with", "--resume", "--only", "resume/*"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train.py").write_text(text(**FAULTS["schedule"][2]))
    return tmp_path


def test_a_script_that_goes_another_way_fails_the_check(folder):
    done = inside.symmetry("check", "train.py", *ARGUMENTS, cwd=folder)
    assert done.status == 1, done
    words = " ".join(done.out.split())
    assert "train.py:32: resumed from its files after 6 updates: the learning rate" in words
    assert "symmetry check train.py --only resume/state --resume-with --resume" in words


@pytest.mark.slow
def test_arguments_of_the_whole_run_follow(folder):
    """The rates are compared, since the resumed run has all arguments of the whole one."""
    arguments = "--resume-with", "--epochs 3 --resume", "--only", "resume/*"
    done = symmetry("check", "train.py", *arguments, "--", "--epochs", "3", cwd=folder)
    assert done.status == 1, done
    assert sorted(path.name for path in folder.iterdir()) == ["train.py"]


@pytest.mark.slow
def test_a_script_that_does_not_save_is_an_error(folder):
    (folder / "train.py").write_text(text(saves="False"))
    done = symmetry("check", "train.py", *ARGUMENTS, cwd=folder)
    assert_one_line(done, "train.py: --resume-with: it saves nothing")
    assert done.status == 2


@pytest.mark.slow
def test_a_check_says_how_to_check_resuming(folder):
    only = "--only", "loop/copies"
    done = symmetry("check", "train.py", *only, "--", "--epochs", "3", cwd=folder)
    last = "to check resuming: symmetry check train.py --resume-with '--resume ...' -- --epochs 3"
    assert done.out.splitlines()[-1] == last, done


@pytest.mark.slow
@needs("jax")
def test_a_check_of_jax_says_so_likewise(tmp_path):
    (tmp_path / "train.py").write_text(resumed_scripts.text())
    done = symmetry("check", "train.py", "--only", "loop/gradients", cwd=tmp_path)
    last = "to check resuming: symmetry check train.py --resume-with '--resume ...'"
    assert done.out.splitlines()[-1] == last, done


def test_quotes_that_do_not_end_are_a_usage_error(folder):
    done = inside.symmetry("check", "train.py", "--resume-with", "'a", cwd=folder)
    assert done.status == 2
    assert "No closing quotation" in done.err


@pytest.mark.parametrize("option", [("--ranks", "2"), ("--resume-with", "--resume")])
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("numba",), "numba is a two-layer step: --ranks and --resume-with are for scripts"),
        (
            ("train.py", "--draw", "epochs=2,3", "--", "--epochs", "{epochs}"),
            "draws its arguments: with --ranks or --resume-with give all of them",
        ),
    ],
)
def test_what_would_be_ignored_is_refused(folder, option, words, why):
    assert_one_line(inside.symmetry("check", *option, *words, cwd=folder), why)


def test_what_cannot_be_resumed_says_so(folder):
    (folder / "other.py").write_text("def training(): ...")
    done = inside.symmetry("check", "other.py:training", *ARGUMENTS, cwd=folder)
    assert done.status == 2
    assert "resume" in done.err


@needs("flax")
@pytest.mark.slow
def test_a_script_in_jax_goes_another_way(folder):
    (folder / "train.py").write_text(resumed_scripts.text(**resumed_scripts.FAULTS["count"][2]))
    done = symmetry("check", "train.py", *ARGUMENTS, cwd=folder)
    assert done.status == 1, done
    assert re.search(r"resumed from its files after \d updates: the state of the step is", done.out)
