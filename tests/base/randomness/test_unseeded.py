"""Generators without a seed get one in a run, and their lines are known."""

from __future__ import annotations

import importlib
import os
import random
import tempfile

import numpy as np
import pytest
import torch

from symmetry.base.randomness.generators import RandomStates, seed_all, shared, states_of
from symmetry.base.randomness.unseeded import SEEDS, Unseeded, giving_seeds

MAKERS = {
    "np.random.default_rng(0)": lambda: np.random.default_rng().random(),
    "random.Random(0)": lambda: random.Random().random(),
    "torch.manual_seed(0)": lambda: (torch.seed(), float(torch.rand(1))),
}
SHARED = {
    "np.random.default_rng(0)": lambda: (np.random.seed(), np.random.random()),
    "random.Random(0)": lambda: (random.seed(), random.random()),
}
SEEDED = np.random.default_rng(3).random(), random.Random(3).random()


@pytest.fixture
def states() -> RandomStates:
    seed_all(0)
    return RandomStates(states_of(shared()))


@pytest.mark.parametrize("draw", [*MAKERS.values(), *SHARED.values()])
def test_generators_draw_the_same_in_each_run_and_differ_within_one(draw) -> None:
    found = []
    for _ in range(2):
        seed_all(0)
        run = RandomStates(states_of(shared()))
        with run.own():
            found.append(draw())
        with run.own():
            found.append(draw())
    assert found[:2] == found[2:]
    assert found[0] != found[1]


@pytest.mark.parametrize(("cure", "draw"), MAKERS.items())
def test_a_line_is_known_and_a_seed_is_left_alone(cure, draw, states: RandomStates) -> None:
    with states.own():
        draw()
        assert np.random.default_rng(3).random() == SEEDED[0]
        assert random.Random(3).random() == SEEDED[1]
    file, line = os.path.relpath(__file__), draw.__code__.co_firstlineno
    assert states.unseeded == (Unseeded(file, line, cure, direct=True),)


def test_a_library_that_makes_one_is_told_apart(states: RandomStates, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "_name_sequence", None)
    with states.own():
        tempfile.mktemp()
    assert [line.direct for line in states.unseeded] == [False]


@pytest.mark.parametrize("draw", MAKERS.values())
def test_other_seeds_give_other_numbers(draw) -> None:
    found = []
    for _ in range(2):
        with giving_seeds(), SEEDS.choosing(other=True):
            seed_all(0)
            found.append(draw())
    with giving_seeds():
        seed_all(0)
        assert found[0] == found[1] != draw()


def test_outside_of_runs_nothing_is_given() -> None:
    seed_all(0)
    first = np.random.default_rng().random(), random.Random().random()
    seed_all(0)
    second = np.random.default_rng().random(), random.Random().random()
    assert first[0] != second[0]
    assert first[1] != second[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process can be forked")
def test_a_process_that_a_run_starts_draws_as_ever(states: RandomStates) -> None:
    drawn = []
    for _ in range(2):
        seed_all(0)
        with giving_seeds():
            end, begin = os.pipe()
            if os.fork() == 0:
                os.write(begin, np.random.default_rng().bytes(8))
                os._exit(0)
            os.wait()
            drawn.append(os.read(end, 8))
            os.close(end)
            os.close(begin)
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize("folder", ["site-packages", "mine"])
def test_a_library_draws_and_seeds_nothing_of_a_script_as_it_is_imported(
    folder, tmp_path, monkeypatch, states: RandomStates
) -> None:
    monkeypatch.syspath_prepend(tmp_path / folder)
    (tmp_path / folder).mkdir()
    name = f"drawing_{folder[:4]}"
    text = "import random, numpy as np\nrandom.random()\nnp.random.random()\nrandom.Random()\n"
    (tmp_path / folder / f"{name}.py").write_text(text)
    with states.own():
        before = random.getstate(), np.random.get_state()[2]
        importlib.import_module(name)
        after = random.getstate(), np.random.get_state()[2]
    assert (after == before) is (folder == "site-packages")
    assert (not states.unseeded) is (folder == "site-packages")
