"""Hugging Face's accelerate: it moves models and batches, and hands on what optimisers do."""

from symmetry.base.libraries import Library, emptied

_SKIPS = "skip_first_batches leaves out the batches that were read before"

LIBRARY = Library(
    imports=("accelerate",),
    trains_with="torch",
    decides=True,
    # Its objects share their attributes through these classes.
    kept={
        ("accelerate.state", "PartialState", "_shared_state"): emptied,
        ("accelerate.state", "AcceleratorState", "_shared_state"): emptied,
        ("accelerate.state", "GradientState", "_shared_state"): emptied,
    },
    promises={
        ("accelerate", "", "skip_first_batches"): _SKIPS,
        ("accelerate.accelerator", "", "skip_first_batches"): _SKIPS,
        ("accelerate.accelerator", "Accelerator", "load_state"): (
            "load_state restores the samplers that save_state has saved"
        ),
    },
)
