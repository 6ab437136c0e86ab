"""The performance command: what it counts, what it prints, what it refuses. Nothing is timed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from symmetry.base.errors import SymmetryError
from symmetry.network.kernels import LINES, TOTALS
from tests.studies.performance import __main__ as command
from tests.studies.performance import limits, load, measure, memory, report
from tests.studies.performance import sweeps as sweeps_module
from tests.studies.performance.contestants import NAMES, contestant, installed
from tests.studies.performance.figures import figures, sweeps
from tests.studies.performance.kept import FILE, kept
from tests.studies.performance.limits import Limits
from tests.studies.performance.load import rates as rates_of
from tests.studies.performance.measure import Point, Setting
from tests.studies.performance.problems import images, scattered
from tests.studies.performance.sweeps import DTYPES, QUICK, Measured, Plan, run

SETTING = Setting()
TILES = 208 * 4 // limits.TILE_BYTES  # of 200 float32 units
PLAN = Plan(
    n=600,
    swept=300,
    shares=(0.1, 0.4, 1.0),
    hidden=(25, 50),
    classes=(10, 20),
    names=NAMES,
    rounds=1,
    tries=1,
)


def point(setting=SETTING, core=0.1, numpy=0.4, collapsed=0.002, visits=10**6, share=0.2):
    times = {"NumPy": (numpy,), "core": (core,), "collapsed": (collapsed,)}
    return Point(setting, visits // 2, visits, share, times)


def measured():
    """A record whose core takes 4 ns a product on one thread, on a machine that takes 2."""
    rate = limits.bytes_per_product("float32") / 2e-9
    return Measured(
        PLAN,
        peaks={"float32": dict(zip(NAMES, (2**29, 2**28, 2**27), strict=True))},
        limits=Limits(
            loads=rate,
            product={"float32": rate / 1.2, "float64": rate / 1.2},
            memory={1: 2e10, 2: 3e10},
            dense={"float32": 8e10, "float64": 4e10},
            blas={"float32": 16e10, "float64": 8e10},
        ),
        main=tuple(point(Setting(threads=t, dtype=d)) for d in DTYPES for t in (1, 2)),
        by_share=tuple(
            point(
                Setting(share=s, threads=t, dtype=d),
                0.05 + TILES * 4e-9 * s * 1e7 / t if s < 1 else 0.16,
                visits=int(s * 1e7),
                share=s,
            )
            for s in (0.1, 0.4, 1.0)
            for d in DTYPES
            for t in (1, 2)
        ),
        by_hidden=tuple(
            point(Setting(hidden=h, threads=t, dtype=d))
            for h in (25, 50)
            for d in DTYPES
            for t in (1, 2)
        ),
        by_classes=tuple(
            point(Setting(share=0.19, classes=c, threads=t, dtype=d))
            for c in (10, 20)
            for d in DTYPES
            for t in (1, 2)
        ),
    )


def test_problem_counts_its_nonzeros_and_the_visits_to_them():
    problem = images(600)
    ones = len(problem.x) + len(problem.test_x)
    assert (len(problem.x), len(problem.test_x)) == (600, 100)
    assert problem.nonzeros == (problem.x != 0).sum() + 600
    assert problem.visits == 2 * (problem.x != 0).sum() + (problem.test_x != 0).sum() + 600 + ones
    assert problem.share == pytest.approx((problem.x != 0).mean())


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_scattered_inputs_have_the_share_that_was_asked_for(share):
    problem = scattered(600, share)
    assert problem.x.dtype == np.float32
    assert problem.x.max() <= 1
    assert problem.share == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_contestants_train_the_same_network(dtype):
    problem = images(300)
    losses = []
    for name in (*NAMES, *installed()):
        advance = contestant(name, problem, 6, dtype, 2)
        losses.append([advance() for _ in range(3)])
    for others in losses[1:]:
        assert losses[0] == pytest.approx(others, rel=1e-5)
    assert losses[0][2] < losses[0][1] < losses[0][0] < np.log(10)


def test_every_contestant_is_timed_in_every_round(monkeypatch):
    monkeypatch.setattr(measure, "PAUSE", 0)
    monkeypatch.setattr(measure, "LEAST", 60)
    settings = [Setting(n=300, hidden=5, threads=threads) for threads in (2, 1)]
    found = measure.measure(settings, NAMES, rounds=3)
    assert [point.setting for point in found] == settings
    for each in found:
        assert {len(times) for times in each.seconds.values()} == {
            3 * measure.MORE
        }  # they are quick
        assert each.visits == images(300).visits


def test_ratio_is_of_medians():
    found = replace(point(), seconds={"NumPy": (9.0, 4.0, 4.0), "core": (1.0, 2.0, 50.0)})
    assert found.ratio() == 2


def test_product_loads_a_row_a_value_and_an_index():
    assert limits.bytes_per_product("float32") == limits.TILE_BYTES + 4 + 2
    assert limits.bytes_per_product("float64") == limits.TILE_BYTES + 8 + 2


def test_limits_are_rates():
    found = limits.measure_limits((1, 2), tries=2)
    for rate in (found.loads, *found.product.values(), *found.memory.values()):
        assert 1e6 < rate < 1e14
    for rate in (*found.dense.values(), *found.blas.values()):
        assert 1e6 < rate < 1e13
    assert found.fastest() >= found.loads


def test_loops_of_the_limits_do_what_they_say():
    words = np.arange(1, 9)
    assert limits.sum_up(words, 1) == np.bitwise_xor.reduce(np.arange(1, 9))
    lanes = limits.TILE_BYTES // 4
    total, rows = np.zeros(lanes, np.float32), np.ones((2, lanes), np.float32)
    limits.multiply(total, np.ones(3, np.float32), np.array([0, 1, 1], np.uint16), rows, 2)
    assert (total == 6).all()
    totals, matrix = (np.zeros((LINES, count, 16), np.float32) for count in (TOTALS, 3))
    matrix[:] = 1
    values = np.full((3, TOTALS), 2, np.float32).T
    limits.multiply_matrices(totals, values, matrix, 2)
    assert (totals == 12).all()
    indices = np.array([0, 1, 1], np.uint16)
    with pytest.raises(ValueError, match="not as long"):  # it would write beyond the total
        limits.multiply(total[:-1], np.ones(3, np.float32), indices, rows, 2)
    for few in (totals[:, 1:], values), (totals[:, :, 1:], values), (totals, values[1:]):
        with pytest.raises(ValueError, match="not as many"):
            limits.multiply_matrices(*few, matrix, 2)


def test_tiles_are_counted_with_their_padding():
    assert [load.tiles(point(Setting(hidden=h))) for h in (1, 104, 113, 200)] == [1, 1, 2, TILES]
    assert load.tiles(point(Setting(hidden=200, dtype="float64"))) == 2 * TILES


def test_one_more_nonzero_costs_the_slope_of_the_time():
    for threads in (1, 2):
        points = [
            p
            for p in measured().by_share
            if p.setting.threads == threads and p.setting.dtype == "float32" and p.share < 1
        ]
        assert load.marginal(points) == pytest.approx(4)


def test_whole_iteration_is_spread_over_its_products():
    found = point(Setting(threads=2), core=0.01, visits=10**6)
    assert load.average(found) == pytest.approx(20 / TILES)


def test_rates_are_compared_with_the_limit_and_with_the_loop():
    by_name = {rate.name: rate for rate in load.rates(measured())}
    assert by_name["loads and nothing else, float32"].share == pytest.approx(1)
    assert by_name["innermost loop in L1, float32"].share == pytest.approx(1 / 1.2)
    assert by_name["one more nonzero, 1 thread, float32"].share == pytest.approx(0.5)
    assert by_name["one more nonzero, 2 threads, float32"].loop == pytest.approx(2.4)


FACTS = {"date": "today", "processor": "A Zen", "instruction sets": "sse2, avx2 (znver9)"}


def document(record, facts, before=None, *, quick=False, load=0.1):
    every = kept(record, facts, before)
    rates = rates_of(record)
    return report.document(record, every, rates, facts, "do it", quick=quick, load=load)


def test_report_says_what_was_measured():
    record = measured()
    text = document(record, FACTS)
    assert "the core is **4.0** (float32) and **4.0** (float64) times as fast" in " ".join(
        text.split()
    )
    assert "at least 2.50 times as fast (100 % nonzero, float32)" in " ".join(text.split())
    assert "| float32, 1 thread | 400 (400 - 400) | 100 (100 - 100) |" in text
    assert "| 100 | float64 | 2 | 400 | 160 | 2.00 | **2.50** |" in text
    assert "| one more nonzero, 1 thread, float32 | 4.00 | 50% | 60% |" in text
    assert "| the core's dense loop in L1 | 80 | 40 |" in text
    assert "| a whole iteration of the core, 100 percent nonzero | 25 | 25 |" in text
    assert "| float32 | 512.0 MiB | 256.0 MiB | 128.0 MiB |" in text
    assert "20.0 GB/s with 1 thread and 30.0 GB/s with 2 threads" in text
    assert "| date | today |" in text
    assert "quick settings" not in text
    for figure in figures(record, load.rates(record)):
        assert f"]({figure.name})" in text


def test_quick_report_says_that_it_proves_nothing():
    record = measured()
    text = document(record, FACTS, quick=True)
    assert "no\nmeasurement" in text
    assert "busy" not in text


def test_report_says_when_the_machine_was_busy():
    record = measured()
    text = document(record, FACTS, load=3.4)
    assert "busy when this began, with a load average of 3.4" in text


def test_report_claims_what_holds_on_the_slowest_processor():
    record = measured()
    other = {
        "MNIST, 200 hidden units": {"float32": 3.21, "float64": 9.0},
        "classes": {"20, x": 0.1},
    }
    before = {"B Lake (lake), then": other, "A Zen (znver9), before": {"classes": {"9, x": 0.01}}}
    text = document(record, FACTS, json.dumps(before).encode())
    words = " ".join(text.split())
    assert "the core is **3.2** (float32) and **4.0** (float64) times as fast" in words
    assert "with up to 20 classes at least 0.10 times as fast (20 classes, x)." in words
    assert "Each of these ratios is the lowest of those on 2 processors." in words
    assert "| core beside NumPy, one thread | A Zen (znver9), today | B Lake (lake), then |" in text
    assert "| MNIST, 200 hidden units: float32 | 4.0 | 3.21 |" in text
    with pytest.raises(SymmetryError, match="damaged"):
        document(record, FACTS, b"{")


def test_every_point_has_its_row():
    for sweep in sweeps(measured()):
        assert len(report.sweep_table(sweep)) == 2 + len(sweep.points)
        assert sweep.ticks


def test_figures_are_drawn():
    record = measured()
    for figure in figures(record, load.rates(record)):
        assert figure.is_current(figure.png())


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.3704, "370"), (0.01234, "12.3"), (0.003456, "3.46")]
)
def test_times_have_three_digits(seconds, text):
    assert report.milliseconds(seconds) == text


def test_plan_is_run_from_end_to_end(monkeypatch):
    monkeypatch.setattr(measure, "PAUSE", 0)
    monkeypatch.setattr(sweeps_module, "peaks", lambda n, dtype: {"NumPy": n})
    said = []
    found = run(replace(PLAN, hidden=(25,), shares=(0.5,), classes=(3,)), said.append)
    assert said == [
        "memory",
        "limits of the machine",
        "MNIST",
        "nonzeros",
        "hidden units",
        "classes",
    ]
    assert [p.setting.dtype for p in found.main] == ["float32", "float32", "float64", "float64"]
    assert [len(sweep) for sweep in (found.by_share, found.by_hidden, found.by_classes)] == [4] * 3
    assert found.peaks == {"float32": {"NumPy": 600}, "float64": {"NumPy": 600}}


def test_peak_of_a_process_is_at_least_its_data():
    assert memory.peak("NumPy", 600, "float64") > 600 * 785 * 8


def test_memory_of_numpy_is_without_numba():
    code = (
        "import sys; from tests.studies.performance.memory import train;"
        " train('NumPy', 60, 'float32');"
        "print('numba' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=memory.ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_command_writes_report_and_figures(tmp_path, monkeypatch, capsys):
    plans = []
    monkeypatch.setattr(command, "run", lambda plan, say: plans.append(plan) or measured())
    assert command.main(["--quick", "--output", str(tmp_path)]) == 0
    assert plans == [QUICK]
    text = (tmp_path / "performance.md").read_text()
    assert text == capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "performance-limit.png",
        FILE,
        "performance.md",
        "performance.png",
    ]
    assert "NumPy's BLAS" in text
    assert "--threads" not in text


def test_command_measures_the_thread_counts_that_are_asked_for(monkeypatch, capsys):
    plans = []

    def run_one(plan, say):
        plans.append(plan)
        record = measured()
        main = tuple(p for p in record.main if p.setting.threads == 1)
        return replace(record, plan=replace(PLAN, threads=plan.threads), main=main)

    monkeypatch.setattr(command, "run", run_one)
    assert command.main(["--threads", "1"]) == 0
    assert plans[0].threads == (1,)
    text = capsys.readouterr().out
    assert "--threads 1`, on a machine" in text
    assert "whole iteration, 2 threads" not in text


def test_bad_options_and_directories_are_refused_in_a_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(["--slow"])
    assert stopped.value.code == 2
    file = tmp_path / "file"
    file.touch()
    assert command.main(["--output", str(file)]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: cannot write into")
