"""The table of targets, as plain text and as `portability.md`."""

from __future__ import annotations

from collections.abc import Sequence

from tests.environment import environment_table
from tests.network import golden
from tests.network.golden import Case
from tests.studies.portability.run import Row

HEADINGS = (
    "configuration",
    "threads",
    "processor",
    "vectors",
    "fused multiply-adds",
    "made-up cases",
    "MNIST",
    "bits",
)

INTRODUCTION = """\
# The same bits everywhere

The core trains the same networks on other numbers of threads, compiled for other processors, and
on other processors under emulation, each in a process of its own, each kind of code compiled anew.
Compared with the pinned digests are all weights, losses and predictions, to the last bit."""

NOTES = """\
*Vectors* and *fused multiply-adds* are those of the machine code that Numba made: the code differs
from row to row, the bits do not. Where there is no fused multiply-add, the code calls the C
library's, which computes it in software, hundreds of times as slowly: the same bits take so long
that such code, and emulated processors, train on made-up data alone.
A training that diverges to NaN is not among the cases: IEEE-754 leaves a NaN's sign and payload
open, and x86 and Arm differ in it."""

DIGESTS = """\
The first half of the SHA-256 of w1 and w2 (of u and v where the network is collapsed), C order,
little endian. *n* x *i*-*h*-*c* are the samples, inputs, hidden units and classes."""


def cells(row: Row) -> tuple[str, ...]:
    """Return a row's texts, one for each of the headings."""
    if not row.ran:
        return (row.target.name, *[""] * (len(HEADINGS) - 2), verdict(row))
    return (
        row.target.name,
        str(row.threads),
        " ".join(row.machine.get(key, "") for key in ("machine", "processor")).strip(),
        row.code.get("vectors", ""),
        str(row.code.get("fused", "")),
        tally(row, golden.MADE),
        tally(row, golden.ALL[len(golden.MADE) :]),
        verdict(row),
    )


def tally(row: Row, cases: Sequence[Case]) -> str:
    """Return how many cases ran, and how many of them came to other bits than the pinned ones."""
    ran = [row.same[case] for case in cases if case in row.same]
    return f"{len(ran)}, {ran.count(False)} different" if not all(ran) else str(len(ran))


def verdict(row: Row) -> str:
    """Return "same bits", "different bits", or "did not run" and why, the latter before the end."""
    if not all(row.same.values()):
        return "different bits"
    if row.target.needs or row.failure:
        return f"did not run{' to its end' if row.same else ''}: {row.target.needs or row.failure}"
    return "same bits"


def differences(rows: Sequence[Row]) -> list[str]:
    """Return a line for each case that came to other bits."""
    return [
        f"{row.target.name}, {row.threads} threads: different bits: {case.name}"
        for row in rows
        for case, same in row.same.items()
        if not same
    ]


def plain_table(rows: Sequence[Row]) -> str:
    """Return the table for a terminal."""
    lines = [HEADINGS, *map(cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def markdown(rows: Sequence[Row], facts: dict[str, str], command: str) -> str:
    """Return the report."""
    found = differences(rows)
    pinned = golden.pinned()
    return "\n".join(
        [
            INTRODUCTION,
            "",
            summary(rows),
            "",
            *markdown_table((HEADINGS, *map(cells, rows))),
            "",
            *(f"- {line}" for line in found),
            *([""] if found else []),
            NOTES,
            "",
            "## The digests",
            "",
            DIGESTS,
            "",
            *markdown_table(
                (
                    ("case", "w1 or u", "w2 or v", "last loss"),
                    *(digests(name, pinned[name]) for name in pinned),
                )
            ),
            "",
            "## Measured on",
            "",
            *environment_table(facts),
            "",
            f"Repeat it with `{command}`.",
            "",
        ]
    )


def summary(rows: Sequence[Row]) -> str:
    """Return the finding in a sentence."""
    verdicts = [verdict(row) for row in rows]
    same, different = verdicts.count("same bits"), verdicts.count("different bits")
    return (
        f"**{same} configurations came to the same bits, {different} to different bits; "
        f"{len(rows) - same - different} did not run, or not to their end.**"
    )


def digests(name: str, results: dict[str, str]) -> tuple[str, ...]:
    """Return a case's line in the table of digests."""
    first, second = (
        next(results[key] for key in keys if key in results) for keys in (("w1", "u"), ("w2", "v"))
    )
    return name, f"`{first[:32]}`", f"`{second[:32]}`", f"`{results['losses'].split()[-1]}`"


def markdown_table(lines: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table; the first one is its head."""
    head, *rest = (f"| {' | '.join(line)} |" for line in lines)
    return [head, "|" + "---|" * len(lines[0]), *rest]
