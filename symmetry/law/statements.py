"""The law in words, for every kind of target: each wing adds how it is measured on its own."""

from symmetry.law.invariant import Statement

CLONES = Statement(
    name="symmetry/clones",
    statement="units that start identical stay identical, whatever the others hold",
    reason="exchanging them leaves the start as it is, so it leaves every state as it is",
    witness="two clones that moved, and a different unit",
    cause="an operation at this line treats one of several equal units in another way",
    cure="Apply the operation to all units of the layer, or to none.",
    exchanges="units",
    example="Example: ``grad[:-1].clamp_(-1, 1)`` leaves out the last unit.\n\nUnits of a layer "
    "are started as copies of one, clones, beside a unit that differs. Nothing in a training tells "
    "clones apart, so after each step they have to hold the same numbers, up to rounding. Mend "
    "the line that is named: let it treat all units of the axis equally. `symmetry explain` names "
    "its operation and the units.",
)
PERMUTATION = Statement(
    name="symmetry/permutation",
    statement="permuting equal units before a step permutes the result and changes nothing else",
    reason="a sound step treats equal units equally; only rounding depends on their order",
    witness="differing units that are rearranged, and a state that moved",
    cause="an operation at this line depends on the number of a unit: a slice, an index, a mask",
    cure="Apply the operation to all units of the layer, or to none.",
    exchanges="units",
    example="Example: a mask of one layer that is applied to another one, or "
    "``grad[:-1].clamp_(-1, 1)``, which leaves out the last unit.\n\nThe units of each layer are "
    "renumbered in all parameters that belong to them, and the training is run again. The result "
    "has to be the same, renumbered, up to rounding. Mend the line that is named: let it treat all "
    "units of the axis equally. `symmetry explain` names its operation and the units.",
)
SAMPLES = Statement(
    name="symmetry/samples",
    statement="rearranging the samples changes nothing",
    reason="the loss is a mean over samples; only rounding depends on their order",
    witness="samples that differ, and a state that moved",
    cause="a sample is left out or counts twice, or the order of the samples matters",
    cure="Give all samples of a batch the same weight and treatment.",
    targets="any step that treats its samples equally",
    failure="treats samples differently",
    exchanges="samples",
    example="Example: ``loss = losses[:-1].mean()``, which leaves out the last sample.\n\nThe "
    "samples of each batch are put in another order, with their labels, and the training is run "
    "again. The parameters have to be the same, up to rounding. A step that draws numbers for each "
    "sample cannot be judged so, unless they are put in that order, too.",
)
REPEATABLE = Statement(
    name="symmetry/repeatable",
    statement="the same run gives the same bits: on fresh objects, and after another run",
    reason="everything random is seeded, nothing races, and nothing outlives a run",
    witness="something that moved",
    cause="a generator without a seed, a cache, a race, or an operation that varies",
    cure="Seed each generator that draws, and keep no state between two runs.",
    targets="any deterministic step",
    example="Example: ``np.random.default_rng()`` without a seed, or a cache in a module that "
    "outlives a run.\n\nThe same training is run twice, under the same seeds of all shared random "
    "generators, and once more after another run. All bits have to be the same. Give each "
    "generator of your own a seed, and make it anew in each run. Where a generator without a seed "
    "is the only reason, the other checks go on with one that is given; for any other reason "
    "they stop.",
)
