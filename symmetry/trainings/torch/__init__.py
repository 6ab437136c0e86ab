"""A training in PyTorch: its objects, their state, runs of it, and the trace of its steps."""

import torch

from symmetry.base.errors import SymmetryError

OLDEST = 2, 6

if tuple(map(int, torch.__version__.split(".")[:2])) < OLDEST:
    raise SymmetryError(
        f"PyTorch {torch.__version__} is too old: a training needs {'.'.join(map(str, OLDEST))} or "
        "newer (pip install 'unit-symmetry[torch]')"
    )
