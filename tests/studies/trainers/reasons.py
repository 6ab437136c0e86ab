"""Why a training of this study is not sound: what a person found who looked into it."""

from __future__ import annotations

from tests.studies.survey.reasons import BUG, PROPERTY, Reason

_OWN_MEAN = (
    "a mean over its own micro-batch, which the trainer does not divide: as sequences_accumulated"
)
REASONS: dict[str, Reason] = {
    "question_answering": Reason(
        PROPERTY,
        "the softmax of its loss runs over all places of the text, hidden ones, too: with other "
        "tokens there BERT's loss is 2.464 instead of 2.468 (modeling_bert.py 1348)",
    ),
    "sequences_accumulated": Reason(
        BUG,
        "the loss of T5 is a mean over the tokens of its own micro-batch (modeling_t5.py 1057). "
        "Since its `forward` takes `**kwargs`, the trainer leaves the division by the number of "
        "micro-batches to the model (trainer.py 517 to 523, 2115 to 2119), which does not divide: "
        "open as huggingface/transformers issue 47688",
    ),
    "masked_words_accumulated": Reason(
        BUG, f"the loss of BERT's masked words (modeling_bert.py 973) is {_OWN_MEAN}"
    ),
    "token_classification_accumulated": Reason(
        BUG, f"the loss of BERT's token classes (modeling_bert.py 1284) is {_OWN_MEAN}"
    ),
}
