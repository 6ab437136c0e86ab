"""The invariants of two-layer steps, each in one entry: what it says, why it holds, its measure.

An invariant is measured on a *setting*: one start of a target. Only a setting that has its witness
counts. Of a two-layer step it is made from a case, and ``weights`` says which starts can have it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Literal

from symmetry.base import ranks
from symmetry.base.errors import SymmetryError
from symmetry.invariants import law, network, runs
from symmetry.invariants.measurement import Measurement
from symmetry.units.state import DTYPES

ZERO = frozenset({"zero"})
CLONED = frozenset({"cloned"})  # clones, and units that differ
NONZERO = frozenset({"cloned", "random"})
ANY = frozenset({"zero", "cloned", "random"})

_NORMAL = "normal for tanh and ReLU from zero weights; symmetry/clones covers it"


@dataclass(frozen=True, kw_only=True)
class Invariant:
    """One thing that holds of every sound target of a kind."""

    name: str  # family and name, "symmetry/w1-columns"
    statement: str  # what holds, in one line
    reason: str  # why it holds
    witness: str  # what a setting needs so that holding proves something
    trainers: str = "any activation, loss and elementwise optimiser"  # of which it is true
    measure: Callable[[Any], Measurement]  # of a setting; what the target raises passes through
    # Bit for bit, but +0 equals -0 and NaN equals NaN; with a float64 step, within its error bound;
    # in multiples of what one ulp does to the step.
    compared: Literal["exact", "bound", "response"] = "exact"
    splits: bool = False  # violated if clones split in a run, which rounding may explain
    runs: int = 1  # that it compares, the response apart

    # Of two-layer steps.
    weights: frozenset[str] = NONZERO  # starts that can have the witness
    otherwise: str = "nothing moved"  # what is true where no case has the witness
    normal: str = ""  # where that is to be expected
    rightly: str = ""  # which sound steps violate it: it completes "a step that ..."

    # Of trainings.
    dtypes: tuple[str, ...] = DTYPES  # that it is judged in; "float32" is as written
    units: bool = False  # whether it speaks of equal units, which have to be found first
    on_request: bool = False  # whether it is checked only where it is asked for
    ranks: bool = False  # whether it speaks of several ranks; without any it has to be asked for
    copies: int = 3  # of the state, more than one, at its peak, as measured on a GPT


CATALOGUE: tuple[Invariant, ...] = (
    Invariant(
        name="symmetry/w1-columns",
        statement="from zero weights all columns of w1 stay identical, after every step",
        reason="units that are equal receive equal gradients, and an elementwise optimiser makes "
        "equal updates of them",
        witness="h >= 2, and a w1 that moved",
        weights=ZERO,
        measure=partial(law.from_zero, array="w1"),
        splits=True,
        otherwise="w1 never moved",
        normal=_NORMAL,
    ),
    Invariant(
        name="symmetry/w2-rows",
        statement="from zero weights all hidden rows of w2 stay identical, after every step",
        reason="a hidden row's gradient is made of its unit's outputs and of what all units share",
        witness="h >= 2, and hidden rows of w2 that moved",
        weights=ZERO,
        measure=partial(law.from_zero, array="w2"),
        splits=True,
        otherwise="the hidden rows of w2 never moved",
        normal=_NORMAL,
    ),
    Invariant(
        name="symmetry/clones",
        statement="hidden units that start identical stay identical, whatever the others hold",
        reason="a unit's gradient depends on its own weights and on what all units share",
        witness="two clones that moved, and a different unit",
        weights=CLONED,
        measure=law.clones,
        splits=True,
        otherwise="there were no clones beside another unit, or they never moved",
    ),
    Invariant(
        name="symmetry/permutation",
        statement="permuting the hidden units before a step permutes the result and changes "
        "nothing else",
        reason="hidden units are summed over, and the order of a sum changes only its rounding",
        witness="differing units that are rearranged, and weights that moved",
        compared="response",
        measure=law.rearranged,
        otherwise="all hidden units were equal, or nothing moved",
    ),
    Invariant(
        name="symmetry/samples",
        statement="rearranging the samples changes nothing",
        reason="the loss is a mean over samples, and their order changes only its rounding",
        witness="samples that differ, and weights that moved",
        trainers="any full-batch step that treats its samples equally",
        compared="response",
        measure=partial(law.rearranged, kind="samples"),
        otherwise="all samples were equal, or nothing moved",
        rightly="draws samples, takes batches in turn, or adds noise or mixes sample by sample",
    ),
    Invariant(
        name="symmetry/inputs",
        statement="rearranging the inputs, with their rows of w1, rearranges the result and "
        "changes nothing else",
        reason="inputs are summed over, each with its own row of w1",
        witness="differing inputs that are rearranged, and weights that moved",
        trainers="any step without a pattern over its inputs",
        compared="response",
        measure=partial(law.rearranged, kind="inputs"),
        otherwise="all inputs were equal, or nothing moved",
        rightly="drops out inputs or adds noise to them",
    ),
    Invariant(
        name="symmetry/classes",
        statement="rearranging the classes, with their columns of w2, rearranges the result and "
        "changes nothing else",
        reason="the loss treats all classes equally",
        witness="differing classes that are rearranged, and weights that moved",
        trainers="any step without weights or patterns of classes",
        compared="response",
        measure=partial(law.rearranged, kind="classes"),
        otherwise="all classes were equal, or nothing moved",
        rightly="has weights or fixed random feedback of its own for each class",
    ),
    Invariant(
        name="symmetry/dead-inputs",
        statement="an input that is zero in every sample keeps its zero row of w1",
        reason="its row's gradient is a sum of products with zero",
        witness="a dead input, and a live one whose row moved",
        measure=runs.dead_inputs,
        otherwise="no input was zero in every sample, or no row of another one moved",
    ),
    Invariant(
        name="symmetry/repeatable",
        statement="the same run gives the same bits: twice on fresh instances, and again after "
        "another case ran in between",
        reason="it has nothing random, no race, and no state that outlives a run",
        witness="something that moved",
        trainers="any deterministic step",
        weights=ANY,
        measure=law.repeatable,
    ),
    Invariant(
        name="symmetry/pure",
        statement="x and y are unchanged; shapes and dtypes of the weights are kept",
        reason="a step only reads the samples",
        witness="something that moved",
        trainers="any step",
        weights=ANY,
        measure=runs.pure,
    ),
    Invariant(
        name="network/first-step",
        statement="from zero weights the first step leaves w1 at zero and makes every hidden row "
        "of w2 half its bias row",
        reason="every hidden unit is sigmoid(0) = 1/2, and no error flows back through a w2 of "
        "zeros",
        witness="a w2 that moved",
        trainers="the network of these formulas",
        compared="bound",
        weights=ZERO,
        measure=network.first_step,
        otherwise="w2 never moved",
    ),
    Invariant(
        name="network/gradient",
        statement="one step from arbitrary weights equals the formulas",
        reason="it is the definition of the network's step; rounding has a provable bound",
        witness="an update larger than its bound",
        trainers="the network of these formulas",
        compared="bound",
        measure=network.gradient,
        otherwise="no update was larger than its bound",
    ),
    Invariant(
        name="network/collapsed",
        statement="along a run from zero weights, each step up to the one that first splits the "
        "units is the collapsed network's step",
        reason="h equal units act as one unit whose output counts h times",
        witness="an update larger than its bound",
        trainers="the network of these formulas",
        compared="bound",
        weights=ZERO,
        measure=network.collapsed,
        otherwise="no update was larger than its bound",
    ),
)


def select(
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    invariants: Sequence[Invariant] = CATALOGUE,
    what: str = "invariant",
) -> tuple[Invariant, ...]:
    """Return the invariants whose full names match a pattern of ``only`` and none of ``skip``.

    Without ``only`` those are the usual ones: not those on request, nor what speaks of several
    ranks where there is one. A pattern that matches no name is an error, and so is it if nothing is
    left.
    """
    names, several = [invariant.name for invariant in invariants], ranks.world() > 1
    for pattern in (*only, *skip):
        if not any(fnmatchcase(name, pattern) for name in names):
            close = [n for n in names if pattern in n] or get_close_matches(pattern, names, 1)
            hint = f", did you mean {close[0]!r}? There" if close else "; there"
            raise SymmetryError(f"no {what} matches {pattern!r}{hint} are {', '.join(names)}")

    def wanted(i: Invariant) -> bool:
        usual = not i.on_request and (several or not i.ranks)
        return any(fnmatchcase(i.name, pattern) for pattern in only) if only else usual

    found = tuple(
        invariant
        for invariant in invariants
        if wanted(invariant) and not any(fnmatchcase(invariant.name, pattern) for pattern in skip)
    )
    if not found:
        raise SymmetryError("the patterns to skip leave no invariant to check")
    return found
