"""Trainings by the Trainer of transformers: ``python transformers_trainer.py NAME``.

Each function names a model, its data and collator, and the options of the Trainer.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from typing import Any

import torch
import transformers as hf
from made_up import WORDS, label, text, tokenizer

_WIDE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
_WIDE |= {"intermediate_size": 24, "vocab_size": WORDS, "pad_token_id": 0}
_ROWS = 24


def bert(head: Callable[..., Any], **more: Any) -> Any:
    """Return a small BERT with a head."""
    return head(hf.BertConfig(**_WIDE, max_position_embeddings=40, **more))


def gpt2(head: Callable[..., Any] = hf.GPT2LMHeadModel, **more: Any) -> Any:
    """Return a small GPT-2 with a head."""
    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 160, "vocab_size": WORDS}
    return head(hf.GPT2Config(**sizes, bos_token_id=2, eos_token_id=3, pad_token_id=0, **more))


def llama(head: Callable[..., Any] = hf.LlamaForCausalLM, **more: Any) -> Any:
    """Return a small Llama with a head."""
    return head(hf.LlamaConfig(**_WIDE, num_key_value_heads=1, max_position_embeddings=160, **more))


def t5(head: Callable[..., Any] = hf.T5ForConditionalGeneration) -> Any:
    """Return a small T5."""
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2}
    return head(hf.T5Config(**sizes, vocab_size=WORDS, pad_token_id=0, decoder_start_token_id=0))


def bart() -> Any:
    """Return a small BART."""
    sizes = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "vocab_size": WORDS}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    widths = {"encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "max_position_embeddings": 40}
    tokens = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "decoder_start_token_id": 3}
    return hf.BartForConditionalGeneration(hf.BartConfig(**sizes, **heads, **widths, **tokens))


def texts(words: Any, **more: Any) -> list[dict[str, Any]]:
    """Return rows of tokens of different lengths."""
    return [{**words(text(i)), **more} for i in range(_ROWS)]


def classified(words: Any) -> list[dict[str, Any]]:
    """Return rows of tokens, each with a class."""
    return [{**words(text(i)), "label": label(i)} for i in range(_ROWS)]


def tagged(words: Any) -> list[dict[str, Any]]:
    """Return rows of tokens with a class for each, and none for [CLS] and [SEP]."""
    rows = [words(text(i)) for i in range(_ROWS)]
    for i, row in enumerate(rows):
        inner = [label(i * 100 + k) for k in range(len(row["input_ids"]) - 2)]
        row["labels"] = [-100, *inner, -100]
    return [dict(row) for row in rows]


def translated(words: Any) -> list[dict[str, Any]]:
    """Return rows of tokens, each with a text of another length as its label."""
    rows = [dict(words(text(i))) for i in range(_ROWS)]
    return [{**row, "labels": words(text(i + 3))["input_ids"]} for i, row in enumerate(rows)]


def train(
    model: Any,
    rows: list[dict[str, Any]],
    collator: Any,
    trainer: Any = hf.Trainer,
    arguments: Any = hf.TrainingArguments,
    evaluate: bool = False,
    **options: Any,
) -> None:
    """Train a model with the Trainer."""
    folder = tempfile.mkdtemp()
    given = {"per_device_train_batch_size": 4, "num_train_epochs": 2, "learning_rate": 1e-3}
    quiet = {"report_to": "none", "use_cpu": True, "disable_tqdm": True, "save_strategy": "no"}
    settings = arguments(output_dir=folder, **{**given, **quiet, **options})
    data = {"train_dataset": rows, "eval_dataset": rows[-6:] if evaluate else None}
    trainer(model=model, args=settings, data_collator=collator, **data).train()


def sequence_classification() -> None:
    words = tokenizer()
    model = bert(hf.BertForSequenceClassification, num_labels=3)
    train(model, classified(words), hf.DataCollatorWithPadding(words))


def several_labels() -> None:
    words = tokenizer()
    model = bert(
        hf.BertForSequenceClassification, num_labels=3, problem_type="multi_label_classification"
    )
    rows = [
        {**row, "label": [float(label(i + k) == 0) for k in range(3)]}
        for i, row in enumerate(classified(words))
    ]
    train(model, rows, hf.DataCollatorWithPadding(words))


def regression() -> None:
    words = tokenizer()
    model = bert(hf.BertForSequenceClassification, num_labels=1)
    rows = [{**row, "label": row["label"] - 0.5} for row in classified(words)]
    train(model, rows, hf.DataCollatorWithPadding(words))


def last_token_classification() -> None:
    words = tokenizer()
    model = gpt2(hf.GPT2ForSequenceClassification, num_labels=3)
    train(model, classified(words), hf.DataCollatorWithPadding(words))


def token_classification() -> None:
    words = tokenizer()
    model = bert(hf.BertForTokenClassification, num_labels=3)
    train(model, tagged(words), hf.DataCollatorForTokenClassification(words))


def token_classification_smoothed() -> None:
    words = tokenizer()
    model = bert(hf.BertForTokenClassification, num_labels=3)
    collator = hf.DataCollatorForTokenClassification(words)
    train(model, tagged(words), collator, label_smoothing_factor=0.1)


def token_classification_accumulated() -> None:
    words = tokenizer()
    model = bert(hf.BertForTokenClassification, num_labels=3)
    collator = hf.DataCollatorForTokenClassification(words)
    train(model, tagged(words), collator, gradient_accumulation_steps=3)


def multiple_choice() -> None:
    words = tokenizer()
    rows = []
    for i in range(_ROWS):
        choices = words([text(i + 7 * k) for k in range(3)])
        rows.append({**choices, "label": label(i)})
    model = bert(hf.BertForMultipleChoice)
    train(model, rows, hf.DataCollatorForMultipleChoice(words))


def question_answering() -> None:
    words = tokenizer()
    rows = [
        dict(words(text(i), text(i + 1), padding="max_length", max_length=32)) for i in range(_ROWS)
    ]
    for i, row in enumerate(rows):
        row |= {"start_positions": 1 + label(i), "end_positions": 3 + label(i + 50)}
    train(bert(hf.BertForQuestionAnswering), rows, hf.default_data_collator)


def masked_words() -> None:
    words = tokenizer()
    collator = hf.DataCollatorForLanguageModeling(words, mlm_probability=0.3)
    train(bert(hf.BertForMaskedLM), texts(words), collator)


def masked_whole_words() -> None:
    words = tokenizer()
    collator = hf.DataCollatorForLanguageModeling(words, whole_word_mask=True, mlm_probability=0.3)
    encoded = [words(text(i, words=9), return_offsets_mapping=True) for i in range(_ROWS)]
    model = bert(hf.BertForMaskedLM)
    train(model, [dict(row) for row in encoded], collator, remove_unused_columns=False)


def masked_words_accumulated() -> None:
    words = tokenizer()
    collator = hf.DataCollatorForLanguageModeling(words, mlm_probability=0.3)
    train(bert(hf.BertForMaskedLM), texts(words), collator, gradient_accumulation_steps=3)


def permuted_words() -> None:
    words = tokenizer()
    config = hf.XLNetConfig(
        vocab_size=WORDS, d_model=16, n_layer=2, n_head=2, d_inner=24, pad_token_id=0
    )
    rows = [dict(words(text(i, words=10))) for i in range(_ROWS)]
    collator = hf.DataCollatorForPermutationLanguageModeling(words)
    train(hf.XLNetLMHeadModel(config), rows, collator)


def next_words() -> None:
    words = tokenizer()
    train(gpt2(), texts(words), hf.DataCollatorForLanguageModeling(words, mlm=False))


def next_words_padded_left() -> None:
    words = tokenizer(side="left")
    train(llama(), texts(words), hf.DataCollatorForLanguageModeling(words, mlm=False))


def next_words_accumulated() -> None:
    words = tokenizer()
    collator = hf.DataCollatorForLanguageModeling(words, mlm=False)
    train(llama(), texts(words), collator, gradient_accumulation_steps=3)


def next_words_smoothed() -> None:
    words = tokenizer()
    collator = hf.DataCollatorForLanguageModeling(words, mlm=False)
    train(gpt2(), texts(words), collator, label_smoothing_factor=0.1)


def next_words_smoothed_accumulated() -> None:
    words = tokenizer()
    collator = hf.DataCollatorForLanguageModeling(words, mlm=False)
    options = {"label_smoothing_factor": 0.1, "gradient_accumulation_steps": 3}
    train(gpt2(), texts(words), collator, **options)


def next_words_flattened() -> None:
    words = tokenizer()
    rows = [{"input_ids": words(text(i))["input_ids"]} for i in range(_ROWS)]
    train(llama(), rows, hf.DataCollatorWithFlattening())


def next_words_flattened_accumulated() -> None:
    words = tokenizer()
    rows = [{"input_ids": words(text(i))["input_ids"]} for i in range(_ROWS)]
    train(llama(), rows, hf.DataCollatorWithFlattening(), gradient_accumulation_steps=3)


def next_words_noisy_embeddings() -> None:
    words = tokenizer()
    collator = hf.DataCollatorForLanguageModeling(words, mlm=False)
    train(llama(), texts(words), collator, neftune_noise_alpha=5.0)


def next_words_checkpointed() -> None:
    words = tokenizer()
    collator = hf.DataCollatorForLanguageModeling(words, mlm=False)
    train(llama(), texts(words), collator, gradient_checkpointing=True)


def next_words_by_a_loss_of_ones_own() -> None:
    words = tokenizer()

    def loss(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
        shifted = torch.nn.functional.pad(labels, (0, 1), value=-100)[..., 1:]
        flat = outputs["logits"].flatten(0, 1)
        kind = "sum" if num_items_in_batch is not None else "mean"
        total = torch.nn.functional.cross_entropy(flat, shifted.flatten(), reduction=kind)
        return total if num_items_in_batch is None else total / num_items_in_batch

    class Own(hf.Trainer):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given, compute_loss_func=loss)

    collator = hf.DataCollatorForLanguageModeling(words, mlm=False)
    train(llama(), texts(words), collator, Own, gradient_accumulation_steps=3)


def _sequences(model: Any, **options: Any) -> None:
    words = tokenizer()
    collator = hf.DataCollatorForSeq2Seq(words, model=model)
    kinds = {"trainer": hf.Seq2SeqTrainer, "arguments": hf.Seq2SeqTrainingArguments}
    train(model, translated(words), collator, **kinds, **options)


def sequences() -> None:
    _sequences(t5())


def sequences_smoothed() -> None:
    _sequences(bart(), label_smoothing_factor=0.1)


def sequences_accumulated() -> None:
    _sequences(t5(), gradient_accumulation_steps=3)


def sequences_smoothed_accumulated() -> None:
    _sequences(bart(), label_smoothing_factor=0.1, gradient_accumulation_steps=3)


def sequences_evaluated() -> None:
    more = {"eval_strategy": "steps", "eval_steps": 2, "predict_with_generate": True}
    _sequences(t5(), evaluate=True, **more)


def _scheduled(kind: str, **options: Any) -> None:
    words = tokenizer()
    model = bert(hf.BertForSequenceClassification, num_labels=3)
    collator = hf.DataCollatorWithPadding(words)
    train(model, classified(words), collator, lr_scheduler_type=kind, warmup_steps=2, **options)


def cosine() -> None:
    _scheduled("cosine")


def cosine_with_restarts() -> None:
    _scheduled("cosine_with_restarts", lr_scheduler_kwargs={"num_cycles": 2})


def inverse_root() -> None:
    _scheduled("inverse_sqrt")


def polynomial() -> None:
    _scheduled("polynomial")


def warm_up_and_decay() -> None:
    _scheduled("warmup_stable_decay", lr_scheduler_kwargs={"num_decay_steps": 4})


def plateau() -> None:
    _scheduled("reduce_lr_on_plateau", evaluate=True, eval_strategy="epoch")


def adafactor() -> None:
    _scheduled("linear", optim="adafactor")


def main() -> None:
    torch.manual_seed(0)
    globals()[sys.argv[1]]()


if __name__ == "__main__":
    main()
