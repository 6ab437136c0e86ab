"""Made-up data for the trainers: texts of a few words, and rows of tokens of different lengths."""

from __future__ import annotations

import random

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

WORDS = 32
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_CHAT = (
    "{% for message in messages %}{{ message['role'] }} {{ message['content'] }} [SEP] {% endfor %}"
)
LENGTHS = (6, 9, 12, 5, 10, 7, 11, 8)


def tokenizer(ends: bool = True, side: str = "right") -> PreTrainedTokenizerFast:
    """Return a tokenizer of 27 words; with ``ends`` it adds [CLS] and [SEP]."""
    words = (*_SPECIAL, "user", "assistant", *(f"w{number}" for number in range(WORDS - 7)))
    made = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    if ends:
        pair = "[CLS] $A [SEP] $B [SEP]"
        special = [("[CLS]", 2), ("[SEP]", 3)]
        made.post_processor = TemplateProcessing("[CLS] $A [SEP]", pair, special)
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        eos_token="[SEP]",
        mask_token="[MASK]",
        padding_side=side,
        chat_template=_CHAT,
    )


def text(seed: int, words: int | None = None) -> str:
    """Return a text; its length depends on the seed if ``words`` is not given."""
    numbers = random.Random(seed)
    count = LENGTHS[seed % len(LENGTHS)] if words is None else words
    return " ".join(f"w{numbers.randrange(WORDS - 7)}" for _ in range(count))


def label(seed: int, classes: int = 3) -> int:
    """Return a class."""
    return random.Random(seed + 1000).randrange(classes)
