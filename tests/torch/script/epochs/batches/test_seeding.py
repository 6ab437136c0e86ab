"""Where a script seeds shared generators."""

from __future__ import annotations

from symmetry.training.events import Seeded
from tests.torch.script.epochs.helpers import run


def test_a_seed_of_nothing_fixes_nothing(folder):
    assert len(run(folder, "import random\nrandom.seed()\ntrain()").of(Seeded)) == 1


def test_generators_that_are_drawn_from_without_a_seed_are_named(folder):
    text = "import random\nimport numpy as np\nnp.random.rand()\nrandom.random()\ntrain()\n"
    assert run(folder, text).without_seed == ("NumPy",)
