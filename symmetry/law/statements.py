"""The law in words, for every kind of target: each wing adds how it is measured on its own."""

from symmetry.law.invariant import Statement

CLONES = Statement(
    name="symmetry/clones",
    statement="units that start identical stay identical, whatever the others hold",
    reason="exchanging them leaves the start as it is, so it leaves every state as it is",
    witness="two clones that moved, and a different unit",
    explained="units",
)
PERMUTATION = Statement(
    name="symmetry/permutation",
    statement="permuting equal units before a step permutes the result and changes nothing else",
    reason="a sound step treats equal units equally; only rounding depends on their order",
    witness="differing units that are rearranged, and a state that moved",
    explained="units",
)
SAMPLES = Statement(
    name="symmetry/samples",
    statement="rearranging the samples changes nothing",
    reason="the loss is a mean over samples; only rounding depends on their order",
    witness="samples that differ, and a state that moved",
    targets="any step that treats its samples equally",
    failure="treats samples differently",
    explained="samples",
)
REPEATABLE = Statement(
    name="symmetry/repeatable",
    statement="the same run gives the same bits: on fresh objects, and after another run",
    reason="everything random is seeded, nothing races, and nothing outlives a run",
    witness="something that moved",
    targets="any deterministic step",
)
