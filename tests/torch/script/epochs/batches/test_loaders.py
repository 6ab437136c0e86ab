"""What is seen of loaders: their batches, orders, workers and labels."""

from __future__ import annotations

import pytest

from symmetry.training.events import Batch, Called, Exhausted, Updated
from tests.torch.script.epochs.helpers import run

ACCUMULATED = """
for _ in range(3):
    for i, (x, y) in enumerate(loader):
        (nn.functional.cross_entropy(model(x), y) / 4).backward()
        if i % 4 == 3:
            optimizer.step()
            optimizer.zero_grad()
"""


def test_an_epoch_goes_on_until_gradients_that_add_up_are_used(folder):
    epochs = run(folder, ACCUMULATED)
    counts = [len([b for b in epochs.of(Batch) if b.iterator == n]) for n in range(3)]
    assert counts == [12, 12, 4]  # the first gives three updates, one comes to its own end
    assert [end.cut for end in epochs.of(Exhausted)] == [False, False, True]
    assert len(epochs.of(Updated)) == 7


def test_batches_that_are_collected_for_an_update_are_not_cut(folder):
    text = """for _ in range(2):
    batches = iter(loader)
    for group in zip(*[batches] * 4):
        optimizer.zero_grad()
        for x, y in group:
            (nn.functional.cross_entropy(model(x), y) / 4).backward()
        optimizer.step()
"""
    assert len(run(folder, text).of(Updated)) == 4


def test_a_batch_has_the_indices_of_its_samples(folder):
    epochs = run(folder, "loader = DataLoader(data, batch_size=3)\ntrain()")
    assert [batch.order for batch in epochs.of(Batch)] == [(0, 1, 2), (3, 4, 5)]
    assert [batch.shapes for batch in epochs.of(Batch)] == [("3 x 4", "3")] * 2
    (loader,) = epochs.loaders
    assert (loader.samples, loader.batches, loader.size, loader.shuffles) == (96, 32, 3, False)
    assert loader.sampler == "SequentialSampler"


@pytest.mark.parametrize("argument", ["x", "x / 2", "x.clone()"])
def test_a_call_belongs_to_the_batch_whose_memory_or_shape_it_has(folder, argument):
    epochs = run(folder, f"train()\nfor x, y in loader:\n    model({argument})")
    batch, called = epochs.of(Batch)[-1], epochs.of(Called)[-1]
    assert epochs.events[called.batch] == batch


def test_a_call_with_something_else_belongs_to_no_batch(folder):
    epochs = run(folder, "train()\nfor x, y in loader:\n    model(torch.zeros(5, 4))")
    assert [call.batch is None for call in epochs.of(Called)] == [False] * 2 + [True] * 2


def test_workers_that_seed_in_the_data_leave_the_scripts_numbers_alone(folder):
    text = (
        "class Seeded(torch.utils.data.Dataset):\n"
        "    def __len__(self):\n"
        "        return 16\n"
        "    def __getitem__(self, index):\n"
        "        torch.manual_seed(0)\n"
        "        return torch.randn(4), index % 3\n"
        "loader = DataLoader(Seeded(), 8, num_workers={workers})\n"
        "for _ in range(2):\n"
        "    train()\n"
    )
    drawn = {}
    for workers in (0, 2):
        epochs = run(folder, text.format(workers=workers))
        drawn[workers] = len({batch.states["PyTorch"] for batch in epochs.of(Batch)})
    assert drawn == {0: 1, 2: 4}


def test_sorted_data_has_the_labels_of_three_batches(folder):
    text = (
        "data = TensorDataset(torch.randn(96, 4), torch.arange(96) // 32)\n"
        "loader = DataLoader(data, batch_size=8)\n"
        "train()\n"
    )
    assert run(folder, text).loaders[0].classes == ("0", "1", "2")
