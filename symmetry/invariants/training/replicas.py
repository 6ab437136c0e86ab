"""``training/replicas``: all ranks hold the same copies of the parameters."""

from collections.abc import Mapping, Sequence

from symmetry.base import ranks
from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.invariants.ranks.one import ONE_RANK
from symmetry.law.measurement import Measurement, Violation
from symmetry.training.capabilities.platform import Replicated
from symmetry.training.rank_runs import RankRuns
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart


def replicas(start: TrainingStart) -> Measurement:
    """Compare the replicated parameters of all ranks before the first step and after every step.

    Parameters only: statistics of a BatchNorm differ between ranks by design. A tensor that is
    sharded has no copies. All ranks get the same measurement.
    """
    if (runs := start.target.on_ranks()) is not None:
        if not runs.each:
            return Measurement.not_applicable(runs.why_not_observed)
        return _of(runs)
    if ranks.world() == 1:
        return Measurement.not_applicable(ONE_RANK)
    if Replicated not in start.capabilities:
        return Measurement.not_applicable(Replicated.absent)
    run = start.begin(noise=True)
    replicated = needed(run, Replicated)
    before = after = replicated.digests()
    for step in range(start.steps + 1):
        if (found := _compare(step, replicated.gathered(after))) is not None:
            return Measurement.violated(found)
        if step < start.steps:
            run.step()
            after = replicated.digests()
    if not before:
        return Measurement(False, note="no parameter is held by several ranks")
    return Measurement(after != before, note="no parameter moved" * (after == before))


INVARIANT = TrainingInvariant(
    name="training/replicas",
    statement="after every step all ranks hold the same replicated parameters",
    reason="each starts from the same parameters and makes the same updates",
    witness="two ranks, and something that moved",
    cause="parameters or buffers of the ranks are not synchronised",
    cure="Wrap the model in DistributedDataParallel, call the wrapped model, and let the last "
    "backward of each update be outside of no_sync(). Without it, send the start of rank 0 to all.",
    targets="PyTorch trainings",
    measure=replicas,
    dtypes=WRITTEN,
    runs=1,
    stops="its ranks do not hold the same parameters",
    ranks=True,
)


def _of(runs: RankRuns) -> Measurement:
    """Compare the parameters of ranks that have run before."""
    steps = [*zip(*runs.copies, strict=True)]
    for step, everyone in enumerate(steps):
        if (found := _compare(step, everyone)) is not None:
            return Measurement.violated(found)
    before, after = steps[0][0], steps[-1][0]
    if not before:
        return Measurement(False, note="no parameter is held by several ranks")
    return Measurement(after != before, note="no parameter moved" * (after == before))


def _compare(step: int, everyone: Sequence[Mapping[str, str]]) -> Violation | None:
    """Return the first parameter that differs between ranks, the same violation on all of them."""
    for name in everyone[ranks.rank()]:
        digests = [each.get(name) for each in everyone]
        if None not in digests and len(set(digests)) > 1:  # one that lacks it holds no copy
            others = [k for k, digest in enumerate(digests) if digest != digests[0]]
            when = f"after step {step}" if step else "before the first step"
            message = (
                f"{when} {name} is not the same on all ranks: {_ranks(others)} "
                f"differ{'s' * (len(others) == 1)} from rank 0"
            )
            return Violation(message, step, name, groups=_groups(digests))
    return None


def _ranks(numbers: Sequence[int]) -> str:
    return f"rank{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"


def _groups(digests: Sequence[str | None]) -> str:
    """Say which ranks hold the same."""
    groups = [[k for k, d in enumerate(digests) if d == each] for each in dict.fromkeys(digests)]
    return " | ".join(map(_ranks, groups))
