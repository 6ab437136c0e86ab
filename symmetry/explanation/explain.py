"""Explaining a training: which operation splits its equal units, in float64 and as written."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from symmetry.base.errors import SymmetryError, TargetError
from symmetry.checker.threads import one_thread
from symmetry.checker.verdict import Verdict
from symmetry.explanation.answer import explain_exchange, explain_splits
from symmetry.explanation.explained import Culprit, Explained
from symmetry.explanation.starts import TapedStart, cloned
from symmetry.finding.coverage import Cause, Coverage, Unequal
from symmetry.invariants.symmetry.samples import samples as judge_samples
from symmetry.observe.tape import Tape
from symmetry.training.capabilities.observing import Recording
from symmetry.training.optimizer_state import find_copies, with_optimizer_state
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart
from symmetry.training.target import Training
from symmetry.units.state import Array, State
from symmetry.units.units import Part, Units
from symmetry.units.words import places_in_words

# In float32 more responses than the law allows, which takes the largest of 4 to 12 perturbed runs:
# here one perturbed run tells how far rounding moves an array.
_LIMITS = {"float32": 100.0, "float64": 1000.0}
_ORDER = "the order of the samples"  # a name that no array of a training has
_COARSE = {"float32": 1e-4, "float64": 1e-8}


def with_clones(training: TrainingStart, groups: Sequence[Units], shift: int) -> "TapedTraining":
    """Return a training at a start in which most units of each group are equal.

    Which units stay different is a matter of ``shift``: several shifts leave no unit out. They are
    others in each group, so that units of the same number in two groups have nothing else in
    common.
    """
    run = training.begin(noise=False)
    state = run.state()
    units = with_optimizer_state(groups, state, find_copies(state, run.trained))
    # Groups that lie inside one unit of another come first: the other one then copies them.
    inner = sorted(units, key=lambda group: not any(part.within for part in group.parts))
    for number, group in enumerate(inner):
        state = group.rearranged(state, cloned(group.count, shift + number))
    return TapedTraining(training, state, units)


def with_samples(training: TrainingStart, count: int) -> "TapedTraining":
    """Return a training whose units are the samples of its batches, in an order that is state."""
    state = {**training.begin(noise=False).state(), _ORDER: np.arange(count)}
    return TapedTraining(training, state, [Units("samples", count, (Part(_ORDER, axis=0),))])


class TapedTraining(TapedStart):
    """A training at a start in which units are equal, without the model's random operations."""

    def __init__(self, training: TrainingStart, start: State, units: Sequence[Units]) -> None:
        self.name, self.state, self.groups = training.target.name, start, units
        self.limit, self.coarse = _LIMITS[training.dtype], _COARSE[training.dtype]
        self._training = training

    def states(self, start: State, steps: int, tape: Tape | None = None) -> Iterator[State]:
        """Yield the state after each step of fresh objects."""
        arrays = {name: array for name, array in start.items() if name != _ORDER}
        run = self._training.begin(arrays, noise=False, order=start.get(_ORDER))
        self._recording = needed(run, Recording)
        for _ in range(steps):
            if tape is None:
                run.step()
            else:
                self._recording.record(tape)
            yield run.state()

    def named(self, array: Array, memory: int) -> tuple[str, str]:
        """Return the name of the tensor that an array lies in, and the rows that it holds."""
        known = self._recording.array_at(memory)
        return ("", "") if known is None else (known[0], _rows(array, known[1]))


def _rows(array: Array, whole: Array) -> str:
    """Say which rows or columns of an array another one is cut out of, if it is not all of it."""
    if array.size == whole.size or array.dtype != whole.dtype or not whole.flags.c_contiguous:
        return ""
    if not np.may_share_memory(array, whole):  # one is a copy, as those of bfloat16 are
        return ""
    start = array.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    steps = [np.arange(n) * stride for n, stride in zip(array.shape, array.strides, strict=True)]
    offsets = start + sum(np.ix_(*steps), np.zeros(1, int))
    cut = [np.unique(places) for places in np.unravel_index(offsets // whole.itemsize, whole.shape)]
    return ", ".join(
        places_in_words(places.tolist(), axis)
        for axis, places in enumerate(cut)
        if len(places) < whole.shape[axis]
    )


STEPS = 2  # of a training
_SHIFTS = 3  # of the units of a training that stay different: each once beside a clone
_PROOFS: dict[Cause, str] = {
    "constant": "with the entries of its constant exchanged as well, the units may be exchanged",
    "reshape": "with two axes transposed there, the units may be exchanged one by one",
}


@one_thread()
def explain_training(
    training: Training,
    units: Sequence[Units] | None = None,
    *,
    steps: int = STEPS,
    dtype: str | None = None,
    seed: int = 0,
    first: str = "",
) -> Explained:
    """Explain a training: in float64, where rounding hides nothing, and then as it is written.

    Groups of ``units`` are looked for if they are not given; the one named ``first`` comes first.
    """
    from symmetry.finding.find import find

    try:
        coverage = find(training) if units is None else None
        found = _explained(training, coverage, units, steps, dtype, seed, first)
    except TargetError as error:
        raise SymmetryError(f"{training.name}: {error}") from error
    dead = () if coverage is None else (layer.text for layer in coverage.dead)
    return replace(found, remarks=(*found.remarks, *dead))


def _explained(
    training: Training,
    coverage: Coverage | None,
    units: Sequence[Units] | None,
    steps: int,
    dtype: str | None,
    seed: int,
    first: str,
) -> Explained:
    """Explain the groups of a coverage, or units; and then samples and unequal layers."""
    groups = coverage.groups if coverage is not None else units or ()
    unequal = None if coverage is None else _explain_unequal(training, coverage.without_units)
    if not groups:
        without_groups = explain_samples(training, seed) or unequal
        if without_groups is not None:
            return without_groups
        why = f": {coverage.dead[0].text}" if coverage is not None and coverage.dead else ""
        raise SymmetryError(
            f"{training.name} has no equal units, so there is nothing to split{why}"
        )
    found = [*_of_groups(training, groups, steps, dtype, seed, first)]
    if found[-1].outcome == "explained":
        return found[-1]
    rest = (explain_samples(training, seed) or unequal) if coverage is not None else None
    return rest or next((each for each in reversed(found) if each.step is not None), found[-1])


def _of_groups(
    training: Training,
    groups: Sequence[Units],
    steps: int,
    dtype: str | None,
    seed: int,
    first: str,
) -> Iterator[Explained]:
    """Yield explanations, the last of which is conclusive if one is; at least one."""
    # Where a step chooses between units, it rightly takes the first one of clones.
    unchosen = [group for group in groups if not group.selectable]
    for kind in ("float64", "float32") if dtype is None else (dtype,):
        for taped in _starts(training, unchosen, kind, seed):
            found = explain_splits(taped, steps, first=first)
            yield found
            if found.outcome == "explained":
                return
        # Rounding in float32 may grow to more than what an exchange does.
        if kind == "float64":
            taped = next(_starts(training, groups, kind, seed))
            unfair = explain_exchange(taped, steps, first=first)
            if unfair is not None:
                yield unfair
                if unfair.outcome == "explained":
                    return
    wide = _widened(groups, taped.state)
    for taped in _starts(training, wide, dtype or "float64", seed) if wide else ():
        supposed = explain_splits(taped, steps)
        if supposed.outcome == "explained":
            proved = next(group.count for group in groups if group.name == supposed.units)
            remark = f"{proved} of them were proved equal, and all were supposed to be"
            yield replace(supposed, remarks=(*supposed.remarks, remark))
            return


def _explain_unequal(training: Training, layers: Sequence[Unequal]) -> Explained | None:
    """Name the lines that make units of layers unequal: they were found with the equal ones.

    What takes units one by one, as a mixture does with its gates, may do so. None if there is no
    other.
    """
    told = {layer.place: layer for layer in reversed(layers) if layer.cause != "place"}
    culprits = [
        Culprit(
            operation=layer.operation,
            file=place.shown,
            line=place.line,
            source=place.source,
            phase="forward",
            module=layer.module,
            parameter="",
            rows="",
            step=1,
            cause=f"it {layer.does}",
            operands=(),
            result=None,
            difference=None,
            evidence=(_PROOFS[layer.cause],),
        )
        for place, layer in reversed(told.items())
    ]
    unequal = tuple(layer for layer in layers if layer.cause != "place")
    found = Explained(training.name, "unequal", 0, culprits=tuple(culprits), without_units=unequal)
    return found if unequal else None


def explain_samples(training: Training, seed: int = 0) -> Explained | None:
    """Explain why rearranged samples change a training; None if they do not, or may.

    Whether they may is judged as `symmetry/samples` is.
    """
    start = TrainingStart(training, "float64", seed)
    if judge_samples(start).violation is None:
        return None
    count = start.baseline.samples
    assert count is not None  # else they are not judged
    return explain_exchange(with_samples(start, count), STEPS)


def _starts(
    training: Training, groups: Sequence[Units], dtype: str, seed: int
) -> Iterator[TapedStart]:
    """Yield starts of a training with clones: each unit differs from its clones in one of them."""
    for shift in range(_SHIFTS):
        yield with_clones(TrainingStart(training, dtype, seed), groups, shift)


def _widened(groups: Sequence[Units], state: State) -> list[Units]:
    """Return groups of which most units were proved equal, with all that their axes hold.

    A forward that treats a unit differently makes it no equal unit. A model that has several kinds
    of units on one axis has none that are most of it. Units that lie in one matrix only are what
    the data give a meaning to, such as classes: those that never occur are equal, others are not.
    """
    wide: dict[frozenset[tuple[str, int]], Units] = {}
    for group in groups:
        if any(part.within or part.arrays for part in group.parts):
            continue
        sharing = Counter((part.array, part.axis) for part in group.parts)  # such as gates
        if sum(state[array].ndim > 1 for array, _ in sharing) < 2:
            continue
        parts, laid = [], set()  # how many units there may be, and which of them are the group's
        for part in group.parts:
            length = state[part.array].shape[part.axis] // sharing[part.array, part.axis]
            firsts = part.places(group.count)[:, 0]
            start = int(firsts[0]) // length * length
            parts.append(Part(part.array, part.axis, start, part.block, part.block))
            laid.add((length // part.block, *((firsts - start) / part.block)))
        (count, *places), *others = laid
        whole = not others and not any(place % 1 for place in places)
        if whole and group.count < count < 2 * group.count:
            wide.setdefault(frozenset(sharing), Units(group.name, count, tuple(parts)))
    return [*wide.values()]


def explain_verdict(
    training: Training, verdict: Verdict, units: Sequence[Units] | None
) -> Explained | None:
    """Explain a violation that exchanging units or samples can explain; else return None.

    ``units`` are the groups that the check has found.
    """
    if verdict.kind != "violated" or not verdict.about.exchanges:
        return None
    try:
        if verdict.about.exchanges == "samples":
            return explain_samples(training)
        explained = explain_training(training, units, first=verdict.group or "")
        # Clones may split by rounding beside the violation: that is not its cause.
        return None if explained.outcome == "rounding" else explained
    except SymmetryError:
        return None
