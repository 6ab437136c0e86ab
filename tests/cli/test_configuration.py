"""``[tool.symmetry]`` of pyproject.toml: what it says holds; what makes no sense is one line."""

from __future__ import annotations

import json

import pytest

from tests.cli.inside import symmetry
from tests.cli.process import assert_one_line
from tests.cli.process import symmetry as process

FEW = 'targets = ["numpy"]\nonly = ["*/pure"]\nexamples = 3\ndtype = "float32"\n'
STALE = '{"target": "numpy", "invariant": "symmetry/pure", "found": "w1", "reason": "known"}\n'


@pytest.fixture
def check(tmp_path):
    def run(table, *words, by=symmetry):
        (tmp_path / "pyproject.toml").write_text(table)
        return by("check", *words, cwd=tmp_path)

    return run


def of(table):
    return f"[tool.symmetry]\n{table}"


def test_options_and_targets_are_taken_from_the_table(check, tmp_path):
    done = check(of(FEW + 'json = "found.json"'), by=process)
    assert done.status == 0, done
    assert done.out.splitlines()[0] == "numpy: sound (1 check)"
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["judged"] == ["symmetry/pure"]


def test_what_is_typed_comes_first_and_verbose_shows_the_table(check):
    done = check(of(FEW), "numba", "--examples", "2", "--verbose")
    first, second, *_ = done.out.splitlines()
    assert first == (
        "pyproject.toml: targets = ['numpy'], only = ['*/pure'], examples = '3', "
        "dtype = ['float32']"
    )
    assert second == "numba: 1 invariant on 2 cases in float32, seed 0"
    done = check(of(f"{FEW}verbose = true"), "numba", "--examples", "2")
    assert done.out.splitlines()[1] == second
    assert check(of(f"{FEW}verbose = false\nquiet = true")).out == ""


def test_a_quiet_check_that_passes_prints_nothing(check, tmp_path):
    done = check(of(FEW), "--quiet")
    assert (done.status, done.out, done.err) == (0, "", "")
    (tmp_path / "known.jsonl").write_text(STALE)
    done = check(of(f"{FEW}baseline = 'known.jsonl'"), "--quiet")
    assert (done.status, done.out.splitlines()[0]) == (1, "numpy: 1 problem (1 check)")


def test_a_command_that_repeats_one_failure_needs_no_whole_check(check):
    table = 'require = ["9"]\nexamples = 2\n'
    assert check(of(table), "numpy", "--only", "*/pure").status == 0
    assert_one_line(check(of(table), "numpy", "--skip", "*/pure", "--skip", "symmetry/*s"), "9")


def test_help_and_other_tools_do_not_need_a_table(check):
    assert check("[tool.symmetry]\nskp = 1", "--help").status == 0
    assert check("[tool.other]\nbroken = ", "numpy", "--only", "*/pure").status == 0


@pytest.mark.parametrize(
    ("table", "phrases"),
    [
        ('skp = ["a/*"]', ("[tool.symmetry] skp: there is no such option, did you mean skip?",)),
        ("walk = true", ("there is no such option: there are ", "targets")),
        ("list = true", ("[tool.symmetry] list: there is no such option",)),
        ('exact = "yes"', ("exact: it is true or false, not 'yes'",)),
        ("strict = true", ("[tool.symmetry] strict: --strict is gone: type --gate '*'",)),
        ('seed = "one"', ("seed: it is a number, not 'one'",)),
        ("baseline = 3", ("baseline: it is a text, not 3",)),
        ("skip = [{}]", ("skip: it is a list of texts",)),
        ("targets = 3", ("targets: it is a list of texts, not 3",)),
        ('expect-units = ["fc1=33"]', ("expect-units: it is a table", "['fc1=33']")),
        ('expect-units = {fc1 = "many"}', ("--expect-units takes NAME=N, not 'fc1=many'",)),
        ("steps = 1", ("1 must be at least 2",)),
        ('format = "xml"', ("'xml' is not one of 'text'",)),
        ('dtype = ["half"]', ("'half' is not one of 'float32'",)),
        ('baseline = "known.jsonl"', ("the baseline known.jsonl cannot be read",)),
        ('skip = ["symmetry/pur"]', ("matches 'symmetry/pur', did you mean 'symmetry/pure'?",)),
        ('targets = ["trian.py"]', ("'trian.py': there is no file",)),
        ('targets = ["empty"]', ("nothing to check in 'empty': none of its scripts trains",)),
        ('gate = ["loss/scaling"]', ("no note matches 'loss/scaling'",)),
    ],
)
def test_what_makes_no_sense_is_one_line(check, tmp_path, table, phrases):
    (tmp_path / "empty").mkdir()
    targets = "" if table.startswith("targets") else 'targets = ["numpy"]\n'
    assert_one_line(check(of(targets + table)), *phrases)


def test_a_file_that_cannot_be_read_is_one_line(check):
    assert_one_line(check("[tool.symmetry]\nseed = "), "pyproject.toml is not valid TOML")
    assert_one_line(check("[tool]\nsymmetry = 3"), "tool.symmetry is no table")
