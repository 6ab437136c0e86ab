"""All targets of the survey: ``symmetry check tests/studies/survey/targets.py:trainings``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.studies.survey import images, language


def trainings() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the name and the training of each model type of transformers and module of timm."""
    yield from language.trainings()
    yield from images.trainings()
