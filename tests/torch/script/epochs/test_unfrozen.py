"""Parameters that are unfrozen, and that no optimiser holds: of a module, and of one by itself."""

import pytest
import torch
from torch import nn

from symmetry.torch.script.epochs.unfrozen import UnfrozenParameters


class Run:
    """A body that is frozen at the first update, and a head that an optimiser holds."""

    def __init__(self):
        self.body, self.head, self.seen = nn.Linear(2, 3), nn.Linear(3, 1), UnfrozenParameters()
        self.body.requires_grad_(False)
        self.held = {*map(id, self.head.parameters())}

    def update(self, times=2):
        for _ in range(times):
            self.head(self.body(torch.ones(1, 2))).sum().backward()
            self.seen.look([self.body, self.head], self.held)

    def names(self, read=(), *, is_whole=True):
        modules = [self.body, self.head]
        found = self.seen.records(modules, self.held, {*map(id, read)}, is_whole=is_whole)
        return [(each.names, each.updates) for each in found]


@pytest.fixture
def run():
    made = Run()
    made.update()
    made.body.requires_grad_(True)
    made.update()
    return made


def test_one_of_a_run_that_was_cut_is_not_found(run):
    assert not run.names(is_whole=False)  # its optimiser may have been made later


def test_one_whose_gradients_the_script_reads_is_not_found(run):
    assert not run.names(read=[run.body.weight])
    assert run.names(read=run.head.parameters())


def test_one_that_moves_or_gets_an_optimiser_is_not_found(run):
    run.held |= {id(run.body.weight)}
    assert run.names() == [(("bias",), 2)]
    with torch.no_grad():
        run.body.bias += 1
    assert not run.names()


def test_one_that_evaluates_is_not_found(run):
    run.body.eval()
    run.update(1)
    assert not run.names()


def test_one_that_is_made_late_is_not_found(run):
    run.body = nn.Linear(2, 3)  # such as a random layer for each batch
    run.update()
    assert not run.names()
