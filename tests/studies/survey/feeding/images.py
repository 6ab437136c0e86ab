"""Images and videos, in the forms in which the processors of transformers hand them over.

A form that has patches in one long row, as those of Qwen2-VL are, still has an axis of samples in
the batch: the step joins them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from transformers import PreTrainedConfig

from tests.studies.survey.feeding.drawn import (
    SAMPLES,
    Batch,
    for_each,
    number_in,
    numbers,
    ones,
    part_of,
)

TILES = 3  # an image that is cut in two, and the whole of it, small
_SPATIAL = "spatial_merge_size", "merge_kernel_size", "merge_size", "pooling_kernel_size"


@dataclass(frozen=True)
class Sizes:
    """The sizes of the images of one model."""

    side: int
    channels: int
    patch: int
    times: int  # frames in one patch
    grid: int  # patches along a side, in the forms that choose it
    frames: int

    @classmethod
    def of(cls, config: PreTrainedConfig) -> Sizes:
        """Read them from the configuration of the part that sees."""
        seeing = part_of(config, "vision", "image", "visual", "vit")
        side = number_in(seeing, "image_size", "img_size", "input_size", default=32)
        channels = number_in(seeing, "num_channels", "in_channels", "in_chans", default=3)
        return cls(
            side if side >= 16 else 32,
            channels if channels <= 4 else 3,
            number_in(seeing, "patch_size", "encoder_patch_size", default=8),
            number_in(seeing, "temporal_patch_size", "time_patch_size", default=2),
            2 * max(number_in(seeing, *_SPATIAL), number_in(config, "downsample_factor"), 1),
            number_in(config, "num_frames", "frames_per_clip", default=4),
        )


def _plain(sizes: Sizes, seed: int) -> Batch:
    side = sizes.side
    return {
        "pixel_values": numbers(SAMPLES, sizes.channels, side, side, seed=seed) / 2,
        "image_sizes": for_each(side, side),
        "pixel_mask": ones(SAMPLES, side, side),
        "pixel_attention_mask": ones(SAMPLES, side, side),
    }


def _large(sizes: Sizes, seed: int) -> Batch:
    return _bare(replace(sizes, side=2 * sizes.side), seed)


def _bare(sizes: Sizes, seed: int) -> Batch:
    return {"pixel_values": _plain(sizes, seed)["pixel_values"]}


def _tiles(sizes: Sizes, seed: int, count: int = 1) -> Batch:
    side, patches = sizes.side, sizes.side // sizes.patch
    return {
        "pixel_values": numbers(SAMPLES, count, sizes.channels, side, side, seed=seed) / 2,
        "image_sizes": for_each(side, side),
        "pixel_attention_mask": ones(SAMPLES, count, side, side).bool(),
        "image_attention_mask": ones(SAMPLES, count, patches, patches),
    }


def _cut(sizes: Sizes, seed: int) -> Batch:
    return {
        **_tiles(sizes, seed, TILES),
        "image_sizes": for_each(sizes.side, 2 * sizes.side),
    }


def _patches(sizes: Sizes, seed: int) -> Batch:
    return _rows(sizes, seed, sizes.channels * sizes.times * sizes.patch**2)


def _still_patches(sizes: Sizes, seed: int) -> Batch:
    return _rows(sizes, seed, sizes.channels * sizes.patch**2)


def _square_patches(sizes: Sizes, seed: int) -> Batch:
    return _rows(sizes, seed, sizes.channels, sizes.patch, sizes.patch)


def _rows(sizes: Sizes, seed: int, *shape: int) -> Batch:
    grid = sizes.grid
    places = torch.cartesian_prod(torch.arange(grid), torch.arange(grid))
    return {
        "pixel_values": numbers(SAMPLES, grid**2, *shape, seed=seed) / 2,
        "image_grid_thw": for_each(1, grid, grid),
        "image_grid_hw": for_each(grid, grid),
        "spatial_shapes": for_each(grid, grid),
        "image_merge_sizes": torch.full((SAMPLES,), grid // 2),
        "pixel_attention_mask": ones(SAMPLES, grid**2),
        "image_position_ids": places.expand(SAMPLES, -1, -1).contiguous(),
    }


def _flattened(sizes: Sizes, seed: int) -> Batch:
    found = _still_patches(sizes, seed)
    places = found["image_position_ids"] + 1
    return {"flattened_patches": torch.cat([places, found["pixel_values"]], 2)}


def _strips(sizes: Sizes, seed: int) -> Batch:
    long = sizes.grid**2 * sizes.patch
    return {
        "pixel_values": numbers(SAMPLES, sizes.channels, sizes.patch, long, seed=seed) / 2,
        "target_sizes": for_each(sizes.grid, sizes.grid),
    }


def _video(sizes: Sizes, seed: int) -> Batch:
    shape = SAMPLES, sizes.frames, sizes.channels, sizes.side, sizes.side
    return {"pixel_values": numbers(*shape, seed=seed) / 2}


Form = Callable[[Sizes, int], Batch]
IMAGES: Mapping[str, Form] = {
    "plain": _plain,
    "bare": _bare,
    "large": _large,
    "frames": _video,
    "tile": _tiles,
    "cut": _cut,
    "patches": _patches,
    "still patches": _still_patches,
    "square patches": _square_patches,
    "rows of patches": _still_patches,
    "flattened": _flattened,
    "strips": _strips,
}
VIDEOS: Mapping[str, Form] = {
    "frames": _video,
    "patches": _patches,
    "square patches": _square_patches,
}
IN_ONE_ROW = {"patches", "still patches", "square patches"}
_OF_VIDEOS = {
    "pixel_values": "pixel_values_videos",
    "image_grid_thw": "video_grid_thw",
    "image_position_ids": "video_position_ids",
    "image_merge_sizes": "video_merge_sizes",
}


def image(config: PreTrainedConfig, form: str, seed: int) -> Batch:
    return IMAGES[form](Sizes.of(config), seed)


def video(config: PreTrainedConfig, form: str, seed: int) -> Batch:
    made = VIDEOS[form](Sizes.of(config), seed)
    return {_OF_VIDEOS[name]: value for name, value in made.items() if name in _OF_VIDEOS}


def joined(form: str, value: Tensor) -> Tensor:
    """Return the pixels of all samples as the model takes them: patches in one row, if it does."""
    if form == "strips":
        return torch.cat(value.unbind(), -1)[None]
    return value.flatten(0, 1) if form in IN_ONE_ROW else value
