"""Why a training of this study is not sound: what a person found who looked into it."""

from __future__ import annotations

from tests.studies.survey.reasons import PROPERTY, Reason

REASONS: dict[str, Reason] = {
    "question_answering": Reason(
        PROPERTY,
        "the softmax of its loss runs over all places of the text, hidden ones, too: with other "
        "tokens there BERT's loss is 2.464 instead of 2.468 (modeling_bert.py 1348)",
    ),
}
