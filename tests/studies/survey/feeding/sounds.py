"""Sounds, in the forms in which the feature extractors of transformers hand them over."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from transformers import PreTrainedConfig

from tests.studies.survey.feeding.drawn import SAMPLES, Batch, number_in, numbers, ones, part_of

NAMES = "input_features", "input_values", "audio_input_features", "audio_features"
_MASKS = "input_features_mask", "feature_attention_mask", "audio_attention_mask", "padding_mask"
_BINS = (
    "feature_projection_input_dim",
    "num_mel_bins",
    "feature_size",
    "input_dim",
    "input_feat_per_channel",
    "mel_bins",
    "input_size",
)
_FRAMES, _WAVE = 40, 2000


def _bins(config: PreTrainedConfig) -> int:
    hearing = part_of(config, "audio", "encoder_config", "speech")
    return number_in(hearing, *_BINS, default=number_in(config, *_BINS, default=16))


def _length(config: PreTrainedConfig) -> int:
    return 2 * number_in(part_of(config, "audio"), "max_source_positions", default=16)


Shape = Callable[[PreTrainedConfig], tuple[int, ...]]
FORMS: Mapping[str, Shape] = {
    "bins of frames": lambda config: (_bins(config), _length(config)),
    "frames": lambda config: (_FRAMES, _bins(config)),
    "stacked frames": lambda config: (_FRAMES, 4 * _bins(config)),
    "wave": lambda config: (_WAVE,),
    "channel": lambda config: (1, _WAVE),
    "spectrum": lambda config: (
        number_in(config, "max_length", default=64),
        number_in(config, "num_mel_bins", default=16),
    ),
}


def sound(config: PreTrainedConfig, name: str, form: str, seed: int) -> Batch:
    """Return sounds by this name, and the masks that say that all of them is heard."""
    shape = FORMS[form](config)
    long = shape[0] if "frames" in form[-6:] else shape[-1]
    masks = {mask: ones(SAMPLES, long) for mask in _MASKS}
    return {name: numbers(SAMPLES, *shape, seed=seed), **masks}
