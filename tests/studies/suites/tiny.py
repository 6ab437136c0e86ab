"""A tiny language model and rows of several lengths, as the tests of trainers use them."""

import torch


def model(**config):
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    sizes = {"vocab_size": 32, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1}
    heads = {
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "pad_token_id": 0,
        "eos_token_id": 1,
    }
    return LlamaForCausalLM(LlamaConfig(**sizes, **heads, **config))


def rows(number=32, width=12):
    """Return rows whose padding neither counts nor is attended to."""
    generator = torch.Generator().manual_seed(1)
    found = []
    for length in torch.randint(3, width + 1, (number,), generator=generator).tolist():
        tokens = torch.randint(3, 32, (length,), generator=generator).tolist()
        rest = width - length
        found.append(
            {
                "input_ids": tokens + [0] * rest,
                "attention_mask": [1] * length + [0] * rest,
                "labels": tokens + [-100] * rest,
            }
        )
    return found


def arguments(kind, folder, **more):
    """Return the arguments of a short training on the CPU, which accumulates two micro-batches."""
    usual = {
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 2,
        "learning_rate": 1e-2,
        "max_steps": 6,
        "report_to": [],
        "use_cpu": True,
        "disable_tqdm": True,
    }
    return kind(str(folder), **{**usual, **more})


def tokenizer():
    """Return a tokenizer of the words w0 to w26 and some signs."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    words = ["[PAD]", "[EOS]", "[UNK]", *(f"w{number}" for number in range(27))]
    made = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    signs = {"pad_token": "[PAD]", "eos_token": "[EOS]", "unk_token": "[UNK]"}
    return PreTrainedTokenizerFast(tokenizer_object=made, padding_side="left", **signs)
