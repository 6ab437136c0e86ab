"""The batches and rates of a resumed run, below those of the run before."""

from __future__ import annotations

from symmetry.report.resumed import lines
from symmetry.training.events import Batch, Called, LoopEvent, Updated
from symmetry.training.resumed_runs import HeldState, ObservedRun, ResumedRuns, Resumption
from tests.invariants.loop.made import epochs, event


def run(samples: list[int], rates: list[float], saves: tuple[int, ...] = ()) -> ObservedRun:
    """Return a run with one batch of one sample in each update."""
    events: list[LoopEvent] = []
    held: dict[int, HeldState] = {}
    for number, (sample, rate) in enumerate(zip(samples, rates, strict=True)):
        batch = len(events)
        events.append(event(Batch, update=number, order=(sample,)))
        parameters = {"w": f"{sample - 1}"}
        held[number] = HeldState(
            event=len(events),
            parameters=parameters,
            trained=frozenset(parameters),
            optimizers={},
            buffers={},
            random={},
        )
        events.append(event(Called, update=number, batch=batch, digest=str(sample)))
        events.append(event(Updated, update=number, rates=(rate,)))
    return ObservedRun(epochs=epochs(*events), held=held, saves=saves)


def test_the_runs_are_one_above_the_other():
    before = run([1, 2, 3, 4], [0.4, 0.3, 0.2, 0.1], saves=(2,))
    resumption = Resumption(before=before, saved=2, after=run([3, 9], [0.2, 0.125]))
    found = [*lines(ResumedRuns(resumptions=(resumption,), same_arguments=True))]
    assert found == [
        "",
        "resumed behind update 2",
        "  update       3      4",
        "  batch        3      4",
        "    resumed    3      ?",
        "  rate       0.2    0.1",
        "    resumed  0.2  0.125",
    ]


def test_long_runs_are_broken_into_several_lines():
    before = run([*range(1, 21)], [0.1] * 20, saves=(2,))
    resumption = Resumption(before=before, saved=2, after=run([*range(3, 21)], [0.1] * 18))
    found = [*lines(ResumedRuns(resumptions=(resumption,), same_arguments=True))]
    assert [line.split()[0] for line in found[2:]] == [
        *("update", "batch", "resumed", "rate", "resumed") * 2
    ]
    assert max(map(len, found)) < 100


def test_a_run_with_other_parameters_says_so():
    before = run([1, 2, 3, 4], [0.1] * 4, saves=(2,))
    resumption = Resumption(before=before, saved=2, after=run([9, 9], [0.1] * 2))
    heading = [*lines(ResumedRuns(resumptions=(resumption,), same_arguments=True))][1]
    assert heading == "resumed behind update 2, with other parameters than were saved"
