"""Why an example of this study is accused: what a person found who looked into it."""

from __future__ import annotations

from tests.studies.survey.reasons import PROPERTY, Reason

REASONS: dict[str, Reason] = {
    "haiku.pruned": Reason(
        PROPERTY,
        "it keeps the largest weights of a layer and has to choose among equal ones: the weights "
        "are shuffled and sorted, so of units that start equal one loses weights that another "
        "keeps (mnist_pruning.py 53 and 63)",
    ),
}
