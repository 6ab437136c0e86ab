"""Makes a configuration of transformers tiny, by the names of its attributes.

Names are nearly the same for all model types, which is what a rule can be made of. A value that no
rule knows stays as it is. The rules were found by trial: they need not be true, they need to build.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import PreTrainedConfig

VOCABULARY = 30
WIDTHS = (8, 16, 24, 32, 32, 32, 32, 32)  # of successive stages


def words(text: str) -> list[str]:
    """Return the words of a text, for lists that are longer than anybody wants to quote."""
    return text.split()


# What integers become, by the end of the list of names that it stands before.
_BY_VALUE: Mapping[int, str] = {
    VOCABULARY: "vocab_size vocab_size_per_layer_input",
    1: "num_key_value_heads swa_num_key_value_heads num_global_key_value_heads n_group topk_group "
    "num_expert_group n_shared_experts mamba_n_groups n_groups first_k_dense_replace "
    "num_hash_layers",
    2: "block_size "
    "num_attention_heads n_head n_heads num_heads encoder_attention_heads attention_heads "
    "decoder_attention_heads decoder_num_attention_heads swa_num_attention_heads index_n_heads "
    "linear_num_key_heads num_experts_per_tok moe_topk moe_k top_k_experts type_vocab_size "
    "num_conv_pos_embedding_groups o_groups hc_mult resampler_depth",
    4: "attention_window mm_tokens_per_image resampler_n_latents global_block_size "
    "qk_rope_head_dim qk_nope_head_dim index_topk linear_num_value_heads num_experts num_frames "
    "n_routed_experts num_local_experts moe_num_experts mamba_n_heads mamba_num_heads "
    "time_step_rank mamba_dt_rank",
    6: "num_queries",
    8: "head_dim d_kv dim_head attention_head_size d_head kv_channels swa_head_dim v_head_dim "
    "global_head_dim qk_head_dim kv_lora_rank index_head_dim linear_key_head_dim q_rank patch_size "
    "linear_value_head_dim sliding_window attention_chunk_size codebook_dim mamba_d_state "
    "ssm_state_size state_size chunk_size mamba_chunk_size num_conv_pos_embeddings o_lora_rank "
    "num_codevectors_per_group hidden_size_per_layer_input attention_window_size pos_emb_height "
    "pos_emb_width coordinate_size shape_size",
    12: "moe_intermediate_size q_lora_rank",
    16: "hidden_size d_model n_embd embed_dim emb_dim embedding_size hidden_dim "
    "max_source_positions "
    "encoder_hidden_size decoder_hidden_size text_hidden_size word_embed_proj_dim n_embed "
    "encoder_hidden_dim dim num_mel_bins codebook_size mamba_d_head mamba_head_dim projection_dim "
    "out_hidden_size classifier_proj_size codevector_dim proj_codevector_dim rnn_hidden_size "
    "lru_width fpn_hidden_size fusion_hidden_size mask_feature_size",
    20: "intermediate_size ffn_dim d_ff d_inner n_inner encoder_ffn_dim decoder_ffn_dim mlp_dim "
    "decoder_intermediate_size dim_feedforward ffn_hidden_size shared_expert_intermediate_size "
    "expert_ffn_dim",
    32: "image_size img_size pretrain_image_size",
    64: "max_position_embeddings n_positions n_ctx max_seq_len rel_extent "
    "max_target_positions seq_length max_2d_position_embeddings num_position_embeddings",
    3: "num_channels local_radius",
    0: "num_kv_shared_layers",
}
_EXACT = {name: value for value, names in _BY_VALUE.items() for name in words(names)}
_NO_MORE_THAN = {"n_shared_experts", "num_experts_per_tok", "first_k_dense_replace"}
_AS_IT_IS_BELOW_8 = {"num_channels", "type_vocab_size", "num_frames"}
_LAYERS = words(
    "num_hidden_layers n_layer n_layers num_layers encoder_layers decoder_layers "
    "num_encoder_layers num_decoder_layers depth num_blocks"
)
_KINDS = words(
    "layer_types mlp_layer_types layers_block_type block_types indexer_types layers_types "
    "block_type"
)
_ALTERNATING = words(  # where one is set, a layer may differ from the next
    "first_k_dense_replace decoder_sparse_step encoder_sparse_step moe_layer_freq "
    "interleave_moe_layer_step num_sparse_encoder_layers num_sparse_decoder_layers "
    "full_attention_interval attn_layer_period expert_layer_period global_attn_every_n_layers "
    "sliding_window_pattern no_rope_layer_interval cross_attention_frequency attn_layer_offset "
    "dense_layers mlp_only_layers moe_layer_start_index num_hash_layers"
)
_PARTS = words("image_token_id video_token_id audio_token_id")
_TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
_KEPT = words(
    "kernel stride padding _token sampling rate window n_fft hop seed theta _index buckets "
    "dilation chunk temperature ratio ignore coefficient cost num_labels max_ position lambda "
    "loss _id multiplier base scale scalar factor year version"
)
_WIDE = words("size dim channels rank hidden width filters features planes units embed")
_OF_LAYERS = words(
    "global_attn_indexes deepstack_visual_indexes fullatt_block_indexes vision_feature_layers"
)
_NOT_OURS = words(
    "transformers_version model_type architectures torch_dtype dtype id2label label2id"
)


def tiny(config: PreTrainedConfig, changes: Mapping[str, Any]) -> PreTrainedConfig:
    """Return a tiny copy of a configuration, and of those inside; ``changes`` come last.

    Of ``changes``, "layers" is the least number of layers, "rope" wants sections of three, and
    "wide" leaves the size of heads to the rule where a part of them is rotated.
    """
    given = {name: value for name, value in vars(config).items() if name[0] != "_"}
    kinds = {
        name: list(dict.fromkeys(value))
        for name, value in given.items()
        if name in _KINDS and _all(str, value)
    }
    if given.get("vision_feature_layer") not in (None, -1):  # the layer before the last, say
        changes = {"layers": 2, **changes}
    least = 2 if any(given.get(name) for name in _ALTERNATING) else 1
    layers = max(changes.get("layers", least), *(min(len(kind), 4) for kind in kinds.values()), 1)
    small: dict[str, Any] = {}
    special = 3  # the next token that is none of a text
    for name, value in given.items():
        if name in _NOT_OURS:
            continue
        if isinstance(value, PreTrainedConfig):
            small[name] = tiny(value, changes)
        elif name in kinds:
            small[name] = (kinds[name] + [kinds[name][-1]] * layers)[:layers]
        elif name in _LAYERS and isinstance(value, int):
            small[name] = min(layers, value)
        elif name == "image_grid_pinpoints":
            small[name] = [[32, 64]]
        elif name.endswith(("_token_id", "_token_index")):
            if isinstance(value, list | tuple):
                small[name] = 2
            elif name in _PARTS or (isinstance(value, int) and not isinstance(value, bool)):
                small[name] = _TOKENS.get(name, special)
                special = min(special + (name not in _TOKENS), 14)
        elif _all(int, value):
            small[name] = type(value)(_several(name, value))
        elif isinstance(value, int) and not isinstance(value, bool):
            small[name] = _one(name, value, given)
        elif isinstance(value, dict) and ("rope" in name or "rope_type" in value):
            small[name] = _rotary(value)
        elif value is not None and "attn_implementation" in name:
            small[name] = "eager"
    if "qk_rope_head_dim" in given and "head_dim" in small and not changes.get("wide"):
        small["head_dim"] = 4
    if isinstance(given.get("rotary_dim"), int):
        small["rotary_dim"] = 4
    if changes.get("rope"):
        plain = {"rope_type": "default", "rope_theta": 1e4}
        rotary = small.get("rope_parameters") or given.get("rope_parameters") or plain
        small["rope_parameters"] = {**rotary, "mrope_section": [2, 1, 1]}
    small |= changes
    return _made(type(config), {name: small[name] for name in small if name in given})


def _made(kind: type[PreTrainedConfig], values: dict[str, Any]) -> PreTrainedConfig:
    """Return a configuration with these values, in the first way that it accepts."""
    plain = {
        name: value.to_dict() if isinstance(value, PreTrainedConfig) else value
        for name, value in values.items()
    }
    for given in (values, plain):
        try:
            return kind(**given)
        except Exception:  # each configuration has checks of its own
            continue
    config = kind()
    for name, value in values.items():
        try:
            setattr(config, name, value)
        except Exception:  # a property, or a check
            continue
    return config


def _one(name: str, value: int, given: Mapping[str, Any]) -> int:
    """Return what an integer becomes."""
    if name in _EXACT:
        new = _EXACT[name]
        if value <= 0 or (name in _AS_IT_IS_BELOW_8 and value < 8):
            return value
        if name == "num_key_value_heads":
            return 2 if value == given.get("num_attention_heads", given.get("n_head")) else 1
        if name == "patch_size" and value < 8:
            return min(value, 4)
        return min(value, new) if name in _NO_MORE_THAN else new
    if any(word in name for word in _KEPT):
        return value
    if name.endswith("vocab_size"):
        return VOCABULARY
    if any(word in name for word in ("intermediate", "ffn", "mlp", "inner")) and value > 24:
        return 20
    for word, least, new in (("heads", 4, 2), ("layers", 2, 2), ("experts", 4, 4)):
        if word in name and value > least:
            return new
    return 16 if value > 32 and any(word in name for word in _WIDE) else value


def _several(name: str, values: list[int] | tuple[int, ...]) -> list[int]:
    """Return what a list of integers becomes: one for each stage, or the sides of an image."""
    if name == "depths" or name.endswith("num_blocks"):
        return [1] * len(values)
    if "head" in name and "dim" not in name:
        return [min(value, 2) for value in values]
    if any(word in name for word in ("depth", "layers")) and "index" not in name:
        return [min(value, 1) for value in values]
    if name in _OF_LAYERS:
        return [0, 1][: len(values)]
    if any(word in name for word in _KEPT):
        return list(values)
    if name in ("image_size", "input_size", "img_size"):
        return [32] * len(values)
    if name == "patch_size":
        return [min(value, 8) for value in values]
    if any(word in name for word in _WIDE) and max(values) > 8:
        staged = len(set(values)) > 1 and len(values) <= len(WIDTHS)
        widths = list(WIDTHS[: len(values)]) if staged else [16] * len(values)
        return [min(values[0], 3) if values[0] <= 3 else widths[0], *widths[1:]]
    return list(values)


def _rotary(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters of rotary positions for heads of eight dimensions."""
    return {
        name: _rotary(value)
        if isinstance(value, dict)
        else [2, 1, 1][: len(value)]
        if name == "mrope_section"
        else value
        for name, value in values.items()
    }


def _all(kind: type, value: object) -> bool:
    """Return whether it is a list of things of one kind, and not an empty one."""
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(each, kind) and not isinstance(each, bool) for each in value)
    )
