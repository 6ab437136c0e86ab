"""Hugging Face's transformers, with its Trainer; scripts in JAX use its tokenizers, too."""

import sys
from collections.abc import Callable
from typing import Any

from symmetry.base.libraries import Library


def _loop(returned: Any) -> Callable[[], Any] | None:
    trainer = getattr(sys.modules.get("transformers.trainer"), "Trainer", ())
    return returned.train if isinstance(returned, trainer) else None


LIBRARY = Library(
    imports=("transformers",),
    trains_with="torch",
    loop=_loop,
    promises={
        ("transformers.trainer", "", "skip_first_batches"): (
            "Trainer leaves out the batches that were read before, unless ignore_data_skip is set"
        ),
    },
)
