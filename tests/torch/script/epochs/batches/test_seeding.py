"""Where a script seeds shared generators."""

from __future__ import annotations

from symmetry.training.events import Seeded
from tests.torch.script.epochs.helpers import run


def test_each_generator_is_seen_with_its_line(folder):
    text = "import random\nimport numpy as np\nnp.random.seed(1)\nrandom.seed(1)\ntrain()\n"
    seeded = run(folder, text).of(Seeded)
    assert [event.generator for event in seeded] == ["PyTorch", "NumPy", "Python"]
    assert seeded[1].at.line == seeded[2].at.line - 1


def test_a_seed_of_nothing_fixes_nothing(folder):
    assert len(run(folder, "import random\nrandom.seed()\ntrain()").of(Seeded)) == 1


def test_generators_that_are_drawn_from_without_a_seed_are_named(folder):
    text = "import random\nimport numpy as np\nnp.random.rand()\nrandom.random()\ntrain()\n"
    assert run(folder, text).without_seed == ("NumPy",)
