"""The batch of a model: all parts that its forward takes, and what is to be learned."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from transformers import PreTrainedModel

from tests.studies.survey.feeding import beside, images, learning, sounds, text
from tests.studies.survey.feeding.drawn import Batch


@dataclass(frozen=True)
class Feeding:
    """How a model is fed.

    Attributes
    ----------
    task
        What is learned: a key of the auto classes, or BASE.
    forms
        The form of each part that is fed: image, video, sound.
    places
        How many tokens of the text stand for a part.
    """

    task: str
    forms: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)

    def batch(self, model: PreTrainedModel, seed: int) -> Batch:
        """Return a batch; the first axis of each input is that of the samples.

        Raises
        ------
        NotImplementedError
            If the main input of the model is none that is known.
        """
        wants = inspect.signature(model.forward).parameters
        config, main = model.config, model.main_input_name
        batch = self.parts(model, wants, seed)
        if main == "input_ids" or _needs(wants, "input_ids"):
            batch |= text.batch(config, self.places, seed)
        if main not in batch:
            raise NotImplementedError(f"the main input is {main}")
        learning.learn(self.task, batch, config, wants, seed)
        if "decoder_input_ids" in wants and "decoder_input_ids" not in batch:
            batch["decoder_input_ids"] = text.words(config, seed + 1000, text.ANSWER)
        if "input_ids" in batch:
            beside.add(batch, model, wants, seed)
        batch.pop("kinds", None)
        return batch

    def joined(self, batch: Batch) -> Batch:
        """Return a batch as the model takes it."""
        given = dict(batch)
        for part, name in (("image", "pixel_values"), ("video", "pixel_values_videos")):
            if part in self.forms and name in given:
                given[name] = images.joined(self.forms[part], given[name])
        return given

    def parts(self, model: PreTrainedModel, wants: Mapping[str, Any], seed: int) -> Batch:
        """Return the inputs of all parts that are fed beside the text."""
        config, main, made = model.config, model.main_input_name, Batch()
        if "image" in self.forms:
            made |= images.image(config, self.forms["image"], seed)
        if "video" in self.forms:
            made |= images.video(config, self.forms["video"], seed)
        if "sound" in self.forms:
            name = next(name for name in sounds.NAMES if name in wants)
            made |= sounds.sound(config, name, self.forms["sound"], seed)
        if "pixel_values" in made and "pixel_values" not in wants:
            made |= dict.fromkeys(("image_pixel_values", main), made["pixel_values"])
        taken = {name: value for name, value in made.items() if name in wants}
        if "sound" not in self.forms or main == "input_ids":
            return taken
        return {n: v for n, v in taken.items() if "mask" not in n or _needs(wants, n)}


def _needs(wants: Mapping[str, Any], name: str) -> bool:
    return name in wants and wants[name].default is inspect.Parameter.empty
