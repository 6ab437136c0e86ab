"""Finds by trial the forms in which the parts of a model are fed, and the tokens they stand for."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tests.studies.survey.feeding import images, sounds
from tests.studies.survey.feeding.batch import Feeding
from tests.studies.survey.feeding.drawn import SAMPLES
from tests.studies.survey.feeding.text import token, tokens_of

_FORMS = {"image": [*images.IMAGES], "video": [*images.VIDEOS], "sound": [*sounds.FORMS]}
_INPUTS = {
    "image": {"pixel_values", "image_pixel_values", "flattened_patches"},
    "video": {"pixel_values_videos"},
    "sound": {*sounds.NAMES},
}
INPUTS = {  # all that hold data beside text
    *itertools.chain(*_INPUTS.values()),
    "audio_input_ids",
    "audio_latents",
    "cross_attention_states",
    "encoder_hidden_states",
    "high_res_pixel_values",
    "image_patches",
    "pixel_values_local",
}
_FEATURES = {
    "image": "get_image_features",
    "video": "get_video_features",
    "sound": "get_audio_features",
}
_TOLD_BY = {**dict.fromkeys(images.IN_ONE_ROW, "grid"), "strips": "target_sizes"}
_FEATURES_OF = re.compile(r"features:? (\d+)")  # in a message: do not match, tokens: 2, features: 8
_MOST = 72  # tokens of a text that stand for a part


def all_feedings(model: PreTrainedModel, task: str) -> Iterator[Feeding]:
    """Yield the ways to feed a model that its parts accept."""
    wants = inspect.signature(model.forward).parameters
    parts = [part for part, names in _INPUTS.items() if names & wants.keys()]
    ways = [list(_ways(model, task, part)) for part in parts]
    for chosen in itertools.product(*ways):
        fed = [
            (part, form, count) for part, (form, count) in zip(parts, chosen, strict=True) if form
        ]
        forms = {part: form for part, form, _ in fed}
        yield Feeding(task, forms, {part: count for part, _, count in fed if count})


def _ways(model: PreTrainedModel, task: str, part: str) -> Iterator[tuple[str, int]]:
    """Yield the forms of a part and the tokens that stand for it; "" if it is not fed."""
    main = model.main_input_name in _INPUTS[part]
    alone = main or token(model.config, *tokens_of(part)) is None
    module = None if alone else _maker(model, _FEATURES[part])
    wants = inspect.signature(model.forward).parameters
    for form in _FORMS[part]:
        feeding = Feeding(task, {part: form})
        made = _INPUTS[part] & feeding.parts(model, wants, 0).keys()
        if not made or _TOLD_BY.get(form, "") not in " ".join(wants):
            continue
        if alone:
            yield form, 0
        elif module is None:
            yield form, _told(model, Feeding(task, {part: form}, {part: SAMPLES}))
        elif count := _count(model, module, feeding, part):
            yield form, count
    if not main:
        yield "", 0


def _maker(model: nn.Module, method: str) -> nn.Module | None:
    """Return the module that makes features of a part, the outermost one."""
    return next((each for each in model.modules() if hasattr(each, method)), None)


def _count(model: PreTrainedModel, module: nn.Module, feeding: Feeding, part: str) -> int:
    """Return how many features a form has for each sample; 0 if the model does not take it."""
    wants = inspect.signature(model.forward).parameters
    given = feeding.joined(feeding.parts(model, wants, 0))
    make = getattr(module, _FEATURES[part])
    taken = inspect.signature(make).parameters
    for inputs in ({name: value for name, value in given.items() if name in taken}, given):
        try:
            with torch.no_grad():
                found = make(**inputs)
            count, rest = divmod(_rows(getattr(found, "pooler_output", found)), SAMPLES)
        except Exception:  # whatever a model thinks of what it is given
            continue
        return 0 if rest or count > _MOST else count
    return 0


def _told(model: PreTrainedModel, feeding: Feeding) -> int:
    """Return how many tokens a sample lacks by the model's own message; 0 if it has none."""
    try:
        with torch.no_grad():
            model(**feeding.joined(feeding.batch(model, 0)))
    except Exception as error:
        found = _FEATURES_OF.search(str(error))
        return int(found[1]) // SAMPLES if found else 0
    return SAMPLES


def _rows(found: Any) -> int:
    """Return how many rows of features there are."""
    if isinstance(found, Tensor):
        return found.shape[:-1].numel()
    return sum(map(_rows, found[:1] if isinstance(found, Mapping) else found))
