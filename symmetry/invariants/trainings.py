"""The invariants of trainings, each in one entry: the law on their start, and ``training/*``."""

from functools import partial

from symmetry.invariants import catalogue, training_law, training_ranks, training_rules
from symmetry.invariants.catalogue import Invariant

_WRITTEN = ("float32",)
_invariant = partial(Invariant, trainers="PyTorch trainings", runs=2)

TRAININGS: tuple[Invariant, ...] = (
    _invariant(
        name="symmetry/repeatable",
        statement="the same run gives the same bits: on fresh objects, and after another run",
        reason="everything random is seeded, and nothing outlives a run",
        witness="something that moved",
        measure=training_law.repeatable,
        runs=3,
    ),
    _invariant(
        name="symmetry/permutation",
        statement="rearranging equal units before a step rearranges the result and changes "
        "nothing else",
        reason="a sound step treats equal units equally; only rounding knows their order",
        witness="differing units that are rearranged, and a state that moved",
        compared="response",
        measure=training_law.permutation,
        units=True,
        copies=8,
    ),
    _invariant(
        name="symmetry/clones",
        statement="units that start identical stay identical, whatever the others hold",
        reason="exchanging them leaves the start as it is, so it leaves every state as it is",
        witness="two clones that moved, and a different unit",
        compared="response",
        measure=training_law.clones,
        units=True,
        runs=1,
        copies=16,
    ),
    _invariant(
        name="symmetry/samples",
        statement="rearranging the samples of a batch changes nothing",
        reason="a loss is a mean over samples; only rounding knows their order",
        witness="at least two samples, and a state that moved",
        compared="response",
        measure=training_law.samples,
        copies=8,
    ),
    _invariant(
        name="training/resume",
        statement="state dictionaries loaded into a fresh training continue the run with the same "
        "bits",
        reason="what a step depends on is saved, or made anew in every step",
        witness="something that moved after the reload",
        measure=training_rules.resume,
        copies=9,
        dtypes=_WRITTEN,
    ),
    _invariant(
        name="training/units",
        statement="modules have as many equal units as expect_units says",
        reason="a bug in a forward makes units unequal",
        witness="a pin",
        measure=training_rules.pins,
        dtypes=_WRITTEN,
        units=True,
        runs=1,
    ),
    _invariant(
        name="training/zero-rate",
        statement="with all learning rates zero no parameter that an optimiser holds moves",
        reason="an update is a multiple of the rate",
        witness="a parameter that moves at the true rates",
        measure=training_rules.zero_rate,
        copies=5,
        dtypes=_WRITTEN,
    ),
    _invariant(
        name="training/moves",
        statement="every parameter that requires a gradient and received a real one moves",
        reason="an optimiser holds what is to be trained",
        witness="an optimiser step within K",
        measure=training_rules.moves,
        dtypes=_WRITTEN,
        runs=1,
    ),
    _invariant(
        name="training/replicas",
        statement="after every step all ranks hold the same replicated parameters",
        reason="each starts from the same parameters and makes the same updates",
        witness="two ranks, and something that moved",
        measure=training_ranks.replicas,
        dtypes=_WRITTEN,
        runs=1,
        ranks=True,
    ),
    _invariant(
        name="training/gradient",
        statement="the gradient that backward left is the loss's derivative (float64)",
        reason="it is the definition of a gradient",
        witness="a derivative above its error",
        compared="bound",
        measure=training_rules.gradient,
        dtypes=("float64",),
        on_request=True,
    ),
)

select = partial(catalogue.select, invariants=TRAININGS, what="invariant of trainings")
