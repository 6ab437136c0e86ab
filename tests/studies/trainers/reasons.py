"""Why a training of this study is not sound: what a person found who looked into it."""

from __future__ import annotations

from tests.studies.survey.reasons import KNOWN, PROPERTY, Reason

REASONS: dict[str, Reason] = {
    "question_answering": Reason(
        PROPERTY,
        "the softmax of its loss runs over all places of the text, hidden ones, too: with other "
        "tokens there BERT's loss is 2.464 instead of 2.468 (modeling_bert.py 1348)",
    ),
    "sequences_accumulated": Reason(
        KNOWN,
        "T5 takes no `num_items_in_batch`, so the loss of each micro-batch is a mean over its "
        "own tokens (modeling_t5.py 1054), which the trainer divides by the number of these "
        "(trainer.py 2119): huggingface/transformers issue 37766 says so, and is closed",
    ),
}
