"""``hf-tiny:NAME``: a model of transformers made small from its configuration, with a step.

NAME is a model type, such as gpt2, llama, bert or t5. Nothing is downloaded: the weights and the
tokens of the batches are random. So a training of the library's own code is checked in seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import torch

from symmetry.base.errors import SymmetryError

_TOKENS, _SAMPLES, _LENGTH = 64, 8, 12  # of the vocabulary; of a batch
_PAD, _BEGIN, _END, _SPECIAL = 0, 1, 2, 3
# Sizes by the names of attributes, which are nearly the same in all configurations.
_SIZES: tuple[tuple[str, int], ...] = (
    (r"vocab_size.*", _TOKENS),
    (r"(num_)?(hidden_|encoder_|decoder_|transformer_)*(n_)?layers?|num_blocks", 2),
    (r"num_(key_value|global_key_value)_heads", 1),
    (r".*(_heads|n_heads?)|num_experts_per_tok|moe_topk", 2),
    (r"(head_dim|d_kv|kv_channels|v_head_dim|kv_lora_rank|attention_head_size)", 16),
    (r"(qk_rope_head_dim|qk_nope_head_dim|rotary_dim|sliding_window|attention_window)", 8),
    (r"(hidden_size|d_model|n_embd|embed_dim|embedding_size|word_embed_proj_dim|dim)", 32),
    (r"q_lora_rank", 24),
    (r"(.*intermediate_size|.*ffn_dim|d_ff|n_inner|.*mlp_dim|ffn_hidden_size|d_inner)", 64),
    (r"(max_position_embeddings|n_positions|n_ctx|max_.*_positions|seq_length)", 64),
    (r"(num_local_experts|num_experts|n_routed_experts|moe_num_experts)", 4),
)
_TASKS = "Seq2SeqLM", "MaskedLM", "CausalLM"  # in this order, where there are several


def tiny_training(name: str) -> Callable[[], Any]:
    """Return a function that makes a small model of this type, its step and its batches.

    Raises
    ------
    SymmetryError
        If transformers is not installed, knows no such type, or none for tokens.
    """
    try:
        import transformers
    except ImportError as error:
        raise SymmetryError(f"hf-tiny:{name} needs transformers: {error}") from None
    known = transformers.CONFIG_MAPPING
    if name not in known:
        close = get_close_matches(name.rpartition("/")[2].lower(), [*known.keys()], 1)
        hint = f", did you mean hf-tiny:{close[0]}?" if close else ": gpt2, llama, bert, t5, ..."
        raise SymmetryError(f"hf-tiny:{name}: no model type of transformers has this name{hint}")
    config = known[name]()
    kind = type(config)
    for task in _TASKS if getattr(config, "is_encoder_decoder", False) else _TASKS[1:]:
        maker = getattr(transformers, f"AutoModelFor{task}")
        if kind in maker._model_mapping:
            return lambda: _training(maker.from_config(_small(known[name]())), task)
    raise SymmetryError(f"hf-tiny:{name}: it has no head for {', '.join(_TASKS)}")


def _small(config: Any) -> Any:
    """Return a configuration of the same type with small sizes."""
    values = {key: value for key, value in vars(config).items() if key[0] != "_"}
    small = {key: _smaller(key, value, values) for key, value in values.items()}
    changed = {key: value for key, value in small.items() if value != values[key]}
    if "qk_rope_head_dim" in values:  # which is the size of heads there
        changed.pop("head_dim", None)
    special = _SPECIAL
    for key, value in values.items():
        if key.endswith("_token_id") and isinstance(value, int):
            usual = {"pad_token_id": _PAD, "bos_token_id": _BEGIN, "eos_token_id": _END}
            changed[key] = usual.get(key, special)
            special += key not in usual
    try:
        made = type(config)(**changed)
    except Exception:  # some check values against others that they are given later
        made = type(config)()
        for key, value in changed.items():
            setattr(made, key, value)
    if getattr(made, "is_encoder_decoder", False):
        made.decoder_start_token_id = _BEGIN
    made._attn_implementation = "eager"
    made.use_cache = False
    return made


def _smaller(key: str, value: Any, values: Mapping[str, Any]) -> Any:
    """Return a small value in the place of a size."""
    if isinstance(value, list) and key.endswith("_types") and value:
        kinds = [*dict.fromkeys(value)][:2]
        return (kinds * 2)[:2]
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        return value
    if key == "num_key_value_heads" and value == values.get("num_attention_heads"):
        return 2
    new = next((size for pattern, size in _SIZES if re.fullmatch(pattern, key)), value)
    return min(new, value)


def _training(model: Any, task: str) -> Any:
    """Return the model with a step, and batches of random tokens."""
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

    def batch(number: int) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(number)
        tokens = torch.randint(_SPECIAL + 8, _TOKENS, (_SAMPLES, _LENGTH), generator=generator)
        labels = tokens.clone()
        if task == "MaskedLM":
            hidden = torch.rand(tokens.shape, generator=generator) < 0.3
            hidden[:, 0] = True
            tokens = tokens.masked_fill(hidden, _SPECIAL)
            labels = labels.masked_fill(~hidden, -100)
        return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens), "labels": labels}

    def step(batch: dict[str, torch.Tensor]) -> None:
        optimizer.zero_grad()
        model(**batch).loss.backward()
        optimizer.step()

    return model, step, {"batch": batch}
