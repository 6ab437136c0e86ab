"""The portability command: what it prints, what it tells apart and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
import sys

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.network import kernels
from tests.network import golden
from tests.studies.portability import __main__ as command
from tests.studies.portability import emulators, report, targets, worker
from tests.studies.portability.run import Row, environment, run, run_all, work
from tests.studies.portability.targets import Target

SMALL, OTHER = golden.MADE[:2]


def fake(*lines, code=0):
    """Return a target whose worker prints these lines as JSON and ends with this exit code."""
    program = f"import sys; print({chr(10).join(map(json.dumps, lines))!r}); sys.exit({code})"
    return Target("fake", (sys.executable, "-c", program))


def result(case, **changes):
    return {"case": case.name, "result": golden.pinned()[case.name] | changes}


MACHINE = {"machine": "abacus", "processor": "beads"}
CODE = {"vectors": "10-bit (fingers)", "fused": 0}


def test_row_of_the_same_bits_is_good():
    (row,) = run(fake(MACHINE, result(SMALL), CODE), [SMALL], lambda row, case: None)
    assert row.is_good
    assert report.cells(row) == (
        *("fake", "2", "abacus beads", "10-bit (fingers)", "0", "1", "0", "same bits"),
    )


@pytest.mark.parametrize("key", ["w1", "w2", "predictions", "losses"])
def test_row_of_other_bits_is_not(key):
    lines = MACHINE, result(SMALL, **{key: "0"}), result(OTHER), CODE
    (row,) = run(fake(*lines), [SMALL, OTHER], lambda row, case: None)
    assert not row.is_good
    assert report.cells(row)[-3:] == ("2, 1 different", "0", "different bits")
    assert report.differences([row]) == [f"fake, 2 threads: different bits: {SMALL.name}"]


def test_row_that_dies_says_how_far_it_got_and_why():
    program = "import sys; sys.exit('illegal instruction')"
    row = Row(Target("fake", (sys.executable, "-c", program)), 2)
    work(row, [SMALL], ".", lambda row, case: None)
    assert not row.is_good
    assert report.cells(row)[-1] == "did not run: ended with 1: illegal instruction"
    assert report.cells(row)[-3] == "0"


def test_row_that_stops_early_is_not_good():
    (row,) = run(fake(MACHINE, result(SMALL)), [SMALL, OTHER], lambda row, case: None)
    assert not row.is_good
    assert report.cells(row)[-1] == "did not run to its end: ended before its last case"


def test_row_that_cannot_run_says_what_it_needs_and_does_not_gate():
    (row,) = run_all([Target("far", needs="needs a ticket")], lambda row, case: None)
    assert row.is_good
    assert report.cells(row)[-1] == "did not run: needs a ticket"
    assert report.summary([row]).endswith("1 did not run, or not to their end.**")


def test_rows_of_one_target_share_what_is_known_of_its_code():
    code = json.dumps({"vectors": "8-bit", "fused": 0})
    program = f"import sys; print('{{}}' if sys.argv[3] == '4' else {code!r})"
    target = Target("fake", (sys.executable, "-c", program), threads=(1, 4))
    rows = list(run(target, [], lambda row, case: None))
    assert [(row.threads, row.code["vectors"]) for row in rows] == [(1, "8-bit"), (4, "8-bit")]


def test_worker_is_free_of_settings_of_numba(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    monkeypatch.setenv("UNRELATED", "kept")
    made = environment(Target("any", environment=targets.compile_for("haswell")), tmp_path)
    assert {name: made[name] for name in made if name.startswith("NUMBA_")} == {
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    assert made["UNRELATED"] == "kept"


def test_worker_prints_the_machine_the_results_and_the_code(capsys):
    worker.main(2, [SMALL.name])
    machine, found, code = map(json.loads, capsys.readouterr().out.splitlines())
    assert machine["python"] == sys.version.split()[0]
    assert found == result(SMALL)
    assert code == {} or (code["fused"] > 0) is kernels.FEATURES.get("fma", True)


@pytest.mark.parametrize(
    "line",
    [
        "vfmadd231ps %zmm1, %zmm2, %zmm3",
        "vfnmadd213sd %xmm1, %xmm2, %xmm3",
        "vfmsubadd132pd %ymm1, %ymm2, %ymm3",
        "fmla v0.4s, v1.4s, v2.4s",
        "fmls v0.2d, v1.2d, v2.2d",
        "fmadd s0, s1, s2, s3",
        "fnmsub d0, d1, d2, d3",
        "fmad z0.s, p0/m, z1.s, z2.s",
    ],
)
def test_fused_instructions_are_seen(line):
    assert worker.FUSED.search(f"\t{line}\n")


@pytest.mark.parametrize("line", ["vmulps %zmm1, %zmm2, %zmm3", "fmul v0.4s, v1.4s, v2.4s", "fadd"])
def test_other_instructions_are_not(line):
    assert not worker.FUSED.search(f"\t{line}\n")


def test_digests_and_facts_are_in_the_report():
    rows = [
        Row(Target("here"), 2, MACHINE, CODE, dict.fromkeys(golden.MADE, True)),
        Row(Target("there"), 2, MACHINE, CODE, {SMALL: False}),
    ]
    text = report.markdown(rows, {"date": "today"}, "do it")
    assert "**1 configurations came to the same bits, 1 to different bits; 0 did not run" in text
    assert (
        f"| here | 2 | abacus beads | 10-bit (fingers) | 0 | {len(golden.MADE)} | 0 | same bits |"
        in text
    )
    assert f"- there, 2 threads: different bits: {SMALL.name}" in text
    assert "| date | today |" in text
    for name, results in golden.pinned().items():
        first = next(iter(results.values()))
        assert re.search(re.escape(f"| {name} | `{first[:32]}` |"), text)
    assert text.endswith("Repeat it with `do it`.\n")


def test_plain_table_is_aligned():
    row = Row(Target("a longer name than the heading"), 2, MACHINE, CODE, {SMALL: True})
    head, line = report.plain_table([row]).splitlines()
    assert head.index("threads") == line.index("2 ")
    assert head.index("bits") == line.index("same bits")


@pytest.mark.parametrize(("same", "code"), [(True, 0), (False, 1)])
def test_exit_code_and_file_say_whether_all_is_the_same(same, code, tmp_path, monkeypatch, capsys):
    row = Row(Target("here"), 2, dict.fromkeys(worker.about_machine(), "x"), CODE, {SMALL: same})
    monkeypatch.setattr(command, "run_all", lambda *_, **__: [row])
    assert command.main(["--quick", "--output", str(tmp_path / "new")]) == code
    assert ("different bits" in capsys.readouterr().out) is not same
    assert (tmp_path / "new" / "portability.md").read_text().startswith("# The same bits")


def test_quick_emulates_nothing(monkeypatch):
    seen = []
    monkeypatch.setattr(command, "run_all", lambda chosen, *_, **__: seen.extend(chosen) or [])
    assert command.main(["--quick"]) == 0
    assert seen
    assert all(target.needs for target in seen if target.emulated)


def test_bad_options_and_directories_are_refused_in_a_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(["--slow"])
    assert stopped.value.code == 2
    file = tmp_path / "file"
    file.touch()
    assert command.main(["--output", str(file)]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: cannot write into")


def test_targets_without_their_emulator_say_so(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    made = {target.name: target for target in targets.targets()}
    assert "qemu-user" in made["emulated aarch64"].needs
    assert made["emulated Nehalem"].needs
    assert not made["this machine"].needs


def test_set_up_elsewhere_than_on_debian_is_refused(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(SymmetryError, match="apt-get is missing"):
        emulators.set_up()


def test_what_cannot_be_fetched_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def fail(directory):
        (directory / "half").touch()
        raise SymmetryError("no network")

    with pytest.raises(SymmetryError, match="no network"):
        emulators._make("qemu", fail)
    assert not list(emulators.cache().iterdir())
