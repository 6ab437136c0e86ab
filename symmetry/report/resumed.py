"""Resumed runs beside the run before: the batches and learning rates of both, update by update."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from symmetry.training.resumed_runs import ObservedRun, Read, ResumedRuns, Resumption

_COLUMNS = 12  # updates in a line
_OTHER = "?"  # a batch that the run before has not read


def lines(runs: ResumedRuns) -> Iterator[str]:
    """Yield the text of ``symmetry watch --resume-with``; the run before numbers the batches."""
    for resumption in runs.resumptions:
        yield from ("", _heading(resumption))
        yield from _table(resumption)


def _heading(resumption: Resumption) -> str:
    which = "resumed once more" if resumption.again else "resumed"
    position = resumption.position
    if position is None:
        return f"{which} behind update {resumption.saved}, with other parameters than were saved"
    return f"{which} behind update {position}"


def _table(resumption: Resumption) -> Iterator[str]:
    before, after = resumption.before, resumption.after
    begin = resumption.saved if resumption.position is None else resumption.position
    numbers = _numbers(before)
    columns = range(begin, max(len(before.updates), begin + len(after.updates)))
    rows = [
        ["update", *(str(n + 1) for n in columns)],
        ["batch", *(_batches(before, n, numbers) for n in columns)],
        ["  resumed", *(_batches(after, n - begin, numbers) for n in columns)],
        ["rate", *(_rates(before, n) for n in columns)],
        ["  resumed", *(_rates(after, n - begin) for n in columns)],
    ]
    for first in range(1, len(columns) + 1, _COLUMNS):
        yield from _aligned([[row[0], *row[first : first + _COLUMNS]] for row in rows])


def _numbers(run: ObservedRun) -> dict[tuple[int | str, ...], int]:
    """Return the numbers of the batches of a run, by their samples; equal ones have the first."""
    found: dict[tuple[int | str, ...], int] = {}
    for number, read in enumerate(run.reads, 1):
        found.setdefault(read.samples, number)
    return found


def _batches(run: ObservedRun, update: int, numbers: dict[tuple[int | str, ...], int]) -> str:
    """Return the numbers of the batches that an update reads."""
    reads = _reads_of(run, update) if update < len(run.updates) else ()
    found = [str(numbers.get(read.samples, _OTHER)) for read in reads]
    return found[0] if len(found) == 1 else f"{found[0]}-{found[-1]}" if found else ""


def _reads_of(run: ObservedRun, update: int) -> Sequence[Read]:
    return [read for read in run.reads if read.update == update]


def _rates(run: ObservedRun, update: int) -> str:
    if update >= len(run.updates):
        return ""
    return " ".join(dict.fromkeys(f"{rate:.3g}" for rate in run.updates[update].rates))


def _aligned(rows: list[list[str]]) -> Iterator[str]:
    names, *columns = zip(*rows, strict=True)
    widths = [max(map(len, column)) for column in columns]
    for name, *row in rows:
        cells = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {name:{max(map(len, names))}}  {'  '.join(cells)}".rstrip()
