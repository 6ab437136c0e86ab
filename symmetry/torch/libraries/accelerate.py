"""Hugging Face's accelerate: it moves models and batches, and hands on what optimisers do."""

from symmetry.base.libraries import Library, emptied

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
)
