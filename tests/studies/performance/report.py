"""The texts of `performance.md`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from symmetry.base.memory import in_words as bytes_in_words
from tests.environment import environment_table
from tests.studies.performance.contestants import NAMES
from tests.studies.performance.figures import Sweep, sweeps
from tests.studies.performance.kept import COLLAPSED, FILE, MNIST, Kept, least, rows
from tests.studies.performance.limits import TILE_BYTES, bytes_per_product
from tests.studies.performance.load import Rate, in_words
from tests.studies.performance.measure import MORE, Point
from tests.studies.performance.sweeps import DTYPES, Measured

INTRODUCTION = """\
# How fast the core is, and how far from the limit

{headline}

One iteration is an update, a pass over the training set for the loss after it and the next
gradient, and a pass over the test set. NumPy's step (`symmetry/steps/builtin/numpy.py`) does the
same with as few passes and temporary arrays as a competent user would, and so do those of PyTorch
and JAX (`symmetry/steps/builtin/`). Data are converted, and the core's lists of nonzeros made,
before. All contestants take turns in one process that runs on as many processors as it has threads,
after a pause of 0.1 s that lets BLAS threads go to sleep; a time is the median of {rounds}
iterations, and of up to {most} where they are short, after one that warms up. Figures hold for the
processor named at the end."""

QUICK = """\
**These are quick settings, which show that the command works: few rounds, few samples. They are no
measurement.**"""

BUSY = """\
**The machine was busy when this began, with a load average of {load:.1f}: others took a share of
the time, most of all from two threads. Measure again on one that does nothing else.**"""
IDLE = 1.0  # the most that a load average may be

MAIN = """\
Milliseconds per iteration, in brackets the fastest and the slowest one; ratios are of the
medians."""

SWEEPS = """\
![How many times as fast as NumPy](performance.png)

Dashed lines are one thread. There are {n:,} training samples. The nonzeros of made-up inputs are
scattered at random (those of MNIST, {share:.1f} percent, lie together), and a hundred percent is a
dense matrix. The collapsed core trains the same network as one unit, so that its time does not grow
with the hidden units."""

TRAININGS = (
    "What finding the units of a training costs is in "
    "[performance-finding.md](performance-finding.md)."
)
SIDE_BY_SIDE = f"""\
Each as it was measured on that day, with the core of that day (`{FILE}`). All other
tables and the pictures are those of the first one."""

LIMIT = """\
The two large products take most of the time. For each nonzero input and each *tile* of hidden
units ({tile} bytes at 200 units) they load a row of the tile, a value and an index: {bytes} bytes
in float32. The training set's nonzeros are visited twice (forward,
backward), the test set's once. No computer does that faster than its first-level cache delivers,
and this one delivers {limit:.0f} GB/s to one thread at best.

![What a nonzero costs, beside the limit](performance-limit.png)

- *Loads and nothing else* combines the words of a buffer of 16 KiB: the limit.
- *Innermost loop in L1* is the core's `multiply_add` on one long list whose rows fit that cache.
  It takes longer than its bytes do, because a value of four bytes and an index of two each take a
  load's whole slot, as a vector does. This is the best that the core could come to.
- *One more nonzero* is the slope of the iteration's time over the nonzeros of the first sweep
  above, where blocks are lists: what the products cost in a real training, with lists that are
  short and come from memory.
- *Whole iteration* has everything else in it, too: exponentials, softmax, the second layer, sums
  over chunks, the padding of the last tile.

{memory}"""

DENSE = """\
Where few inputs are zero, operations count instead of loads. The core multiplies and adds at once
with the processor's fused operation, as a BLAS does. IEEE 754 says how it rounds, so that its bits
are the same on every processor; one that has no such operation computes it in software, hundreds of
times as slowly. NumPy's step is little more than BLAS on a dense matrix, so that the two rates of
products are what can be compared: the core's loop at its best, where all that it reads is in the
first-level cache, and a large product of matrices by the BLAS."""

MEMORY = """\
The peak of a whole process that loads MNIST ({n:,} images) and trains 200 units for two iterations
on two threads, libraries included (the cores' has Numba and LLVM in it, NumPy's has not)."""


def document(
    measured: Measured,
    kept: Kept,
    rates: Sequence[Rate],
    facts: dict[str, str],
    command: str,
    *,
    quick: bool,
    load: float,
) -> str:
    """Return the report."""
    return "\n".join(
        [
            INTRODUCTION.format(
                headline=headline(measured, kept),
                rounds=measured.plan.rounds,
                most=MORE * measured.plan.rounds,
            ),
            "",
            *([QUICK, ""] if quick else []),
            *([BUSY.format(load=load), ""] if load > IDLE else []),
            "## MNIST, 200 hidden units",
            "",
            *main_table(measured.main),
            "",
            MAIN,
            "",
            "## Scaling",
            "",
            SWEEPS.format(n=measured.plan.swept, share=100 * measured.main[0].share),
            "",
            *(line for sweep in sweeps(measured) for line in (*sweep_table(sweep), "")),
            "## Processors side by side",
            "",
            SIDE_BY_SIDE,
            "",
            *table(("core beside NumPy, one thread", *kept), rows(kept)),
            "",
            "## The limit",
            "",
            limit_text(measured),
            "",
            *rate_table(rates),
            "",
            "## The limit of dense matrices",
            "",
            DENSE,
            "",
            *dense_table(measured),
            "",
            "## Memory",
            "",
            MEMORY.format(n=measured.plan.n),
            "",
            *memory_table(measured),
            "",
            "## Trainings",
            "",
            TRAININGS,
            "",
            "## Measured on",
            "",
            *environment_table(facts),
            "",
            f"Repeat it with `{command}`, on a machine that does nothing else.",
            "",
        ]
    )


def headline(measured: Measured, kept: Kept) -> str:
    """Return the finding in a few sentences: what holds on every processor that was measured."""
    shares, hidden, classes = sweeps(measured)

    def at_least(sweep: Sweep, what: str) -> str:
        ratio, point = least(kept, sweep.label)
        number, dtype = point.split(", ")
        things = what.removesuffix("s") if number == "1" else what
        return f"at least {ratio:.2f} times as fast ({number} {things}, {dtype})"

    def both(kind: str, form: str) -> str:
        return " and ".join(form.format(least(kept, kind, dtype)[0], dtype) for dtype in DTYPES)

    full, collapsed = both(MNIST, "**{:.1f}** ({})"), both(COLLAPSED, "{:.0f}")
    text = (
        f"On MNIST with 200 hidden units, on one thread, the core is {full} times as fast as "
        f"NumPy, and the collapsed core {collapsed} times. On made-up inputs of every density it "
        f"is {at_least(shares, '% nonzero')}; on MNIST with {hidden.ticks[0]} to "
        f"{hidden.ticks[-1]} units {at_least(hidden, 'units')}; with up to "
        f"{classes.ticks[-1]:,} classes {at_least(classes, 'classes')}."
    )
    if len(kept) > 1:
        text += f" Each of these ratios is the lowest of those on {len(kept)} processors."
    return textwrap.fill(text, 100)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table, numbers to the right."""
    rule = "|---|" + "---:|" * (len(heads) - 1)
    return [f"| {' | '.join(heads)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)]


def milliseconds(seconds: float) -> str:
    """Return a time with three digits or so."""
    value = 1e3 * seconds
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(point: Point, name: str) -> str:
    """Return median, fastest and slowest."""
    times = point.seconds[name]
    low, high = milliseconds(min(times)), milliseconds(max(times))
    return f"{milliseconds(point.median(name))} ({low} - {high})"


def main_table(points: Sequence[Point]) -> list[str]:
    """Return the table of the experiment's own sizes: times, and the ratio of the core."""
    names = list(points[0].seconds)
    return table(
        ("", *names, "core beside NumPy", "collapsed beside NumPy"),
        [
            (
                f"{point.setting.dtype}, {in_words(point.setting.threads)}",
                *(spread(point, name) for name in names),
                f"**{point.ratio():.1f}**",
                f"{point.ratio('collapsed'):.0f}",
            )
            for point in points
        ],
    )


def sweep_table(sweep: Sweep) -> list[str]:
    """Return a sweep's table, a row for each tick, dtype and thread count."""
    names = list(sweep.points[0].seconds)
    heads = (sweep.label, "dtype", "threads", *(f"{name} ms" for name in names))
    return table(
        (*heads, "core beside NumPy"),
        [
            (
                f"{sweep.x(point):,g}",
                point.setting.dtype,
                str(point.setting.threads),
                *(milliseconds(point.median(name)) for name in names),
                f"**{point.ratio():.2f}**",
            )
            for point in sweep.points
        ],
    )


def limit_text(measured: Measured) -> str:
    """Return the explanation of the limit."""
    rates = [
        f"{1e-9 * rate:.1f} GB/s with {in_words(threads)}"
        for threads, rate in measured.limits.memory.items()
    ]
    return LIMIT.format(
        tile=TILE_BYTES,
        bytes=bytes_per_product("float32"),
        limit=1e-9 * measured.limits.fastest(),
        memory=f"Main memory, for comparison, was read at {' and '.join(rates)}.",
    )


def rate_table(rates: Sequence[Rate]) -> list[str]:
    """Return the table behind the picture of the limit."""
    return table(
        ("one nonzero times one tile, per thread", "ns", "of the limit", "of the loop's best"),
        [
            (
                rate.name,
                f"{rate.nanoseconds:.2f}",
                f"{rate.share:.0%}",
                f"{rate.loop / rate.nanoseconds:.0%}",
            )
            for rate in rates
        ],
    )


def dense_table(measured: Measured) -> list[str]:
    """Return what BLAS and the core make of dense matrices, in operations per second."""
    limits, dtypes = measured.limits, tuple(measured.limits.dense)
    whole = {
        p.setting.dtype: 2 * p.visits * p.setting.hidden / p.median("core")
        for p in measured.by_share
        if p.setting.share == 1 and p.setting.threads == 1
    }
    rows = {
        "NumPy's BLAS, a product of matrices": limits.blas,
        "the core's dense loop in L1": limits.dense,
        "a whole iteration of the core, 100 percent nonzero": whole,
    }
    return table(
        ("10^9 operations per second, one thread", *dtypes),
        [
            (name, *(f"{1e-9 * rates[dtype]:.0f}" for dtype in dtypes))
            for name, rates in rows.items()
        ],
    )


def memory_table(measured: Measured) -> list[str]:
    """Return the table of the processes' peaks."""
    return table(
        ("", "NumPy", "core", "collapsed core"),
        [
            (dtype, *(bytes_in_words(peaks[name]) for name in NAMES))
            for dtype, peaks in measured.peaks.items()
        ],
    )
