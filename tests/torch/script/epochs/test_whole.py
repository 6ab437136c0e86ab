"""How a run over whole epochs goes on, ends, and leaves everything as it was."""

from __future__ import annotations

import pytest
import torch

from symmetry.base.errors import TrainingError
from symmetry.targets.script import script
from symmetry.training.events import Batch, Exhausted, Updated
from tests.torch.script.epochs.helpers import HEAD, run


def test_epochs_are_cut_and_the_script_comes_to_its_end(folder):
    epochs = run(folder, "for _ in range(3):\n    train()\nprint('done')")
    assert epochs.is_whole
    assert epochs.ended == "the script's end"
    assert [e.number for e in epochs.of(Batch)] == [1, 2] * 3
    assert all(e.cut for e in epochs.of(Exhausted))
    assert epochs.shortened == ("the loader made at epochs_of.py:8",)
    assert epochs.training_loaders == {0}


def test_a_run_ends_after_forty_updates(folder):
    epochs = run(folder, "while True:\n    train()")
    assert (epochs.ended, epochs.is_whole) == ("after 40 updates", False)
    assert len(epochs.of(Updated)) == 40


def test_after_three_evaluations_an_epoch_is_one_batch(folder):
    evaluate = "with torch.no_grad():\n        model(torch.zeros(2, 4))"
    epochs = run(folder, f"for _ in range(6):\n    train()\n    {evaluate}")
    counts = [len([b for b in epochs.of(Batch) if b.iterator == n]) for n in range(6)]
    assert counts == [2, 2, 2, 1, 1, 1]


def test_a_script_that_counts_on_whole_epochs_gets_them(folder):
    counts = "seen = sum(1 for x, _ in loader if model(x).ndim)\nassert seen == 12, seen\ntrain()"
    epochs = run(folder, counts)
    assert epochs.is_whole
    assert epochs.shortened == ()
    assert len(epochs.of(Updated)) == 12


def test_a_library_that_refuses_the_length_of_a_short_epoch_gets_whole_ones(folder):
    text = (
        "import types\n"
        "lightning = types.ModuleType('lightning')\n"
        "exec('def length(loader):\\n    return len(loader)', vars(lightning))\n"
        "every = 4\n"
        "if every > lightning.length(loader):\n"
        "    raise ValueError('every must be less')\n"
        "train()\n"
    )
    epochs = run(folder, text)
    assert "every must be less" in epochs.refused
    assert len(epochs.of(Updated)) == 12


def test_a_library_that_adds_up_gradients_gets_whole_updates(folder):
    text = (
        "import sys, types\n"
        "lightning = sys.modules['pytorch_lightning'] = types.ModuleType('pytorch_lightning')\n"
        "exec('class Trainer:\\n'\n"
        "     '    accumulate_grad_batches, lightning_module = 3, None\\n'\n"
        "     '    def length(self, loader): return len(loader)', vars(lightning))\n"
        "most = lightning.Trainer().length(loader)\n"
        "for _ in range(3):\n"
        "    for number, (x, y) in enumerate(loader):\n"
        "        nn.functional.cross_entropy(model(x), y).backward()\n"
        "        if number % 3 == 2:\n"
        "            optimizer.step()\n"
        "            optimizer.zero_grad()\n"
        "        if number + 1 == most:\n"
        "            break\n"
    )
    updates = run(folder, text).of(Updated)
    assert [len(update.backwards) for update in updates] == [3] * 6


def test_an_error_behind_the_first_update_ends_the_run_and_is_told(folder):
    epochs = run(folder, "train()\nraise ValueError('full')")
    assert not epochs.is_whole
    assert "ValueError: full" in epochs.ended
    assert len(epochs.of(Updated)) == 2


def test_an_error_before_the_first_update_is_the_scripts(folder):
    with pytest.raises(TrainingError, match="ValueError: empty"):
        run(folder, "raise ValueError('empty')")


def test_a_script_that_catches_everything_is_ended(folder):
    text = "while True:\n    try:\n        train()\n    except BaseException:\n        pass"
    assert run(folder, text).ended == "after 40 updates"


def test_files_that_a_script_writes_are_in_its_mirror_alone(folder):
    (folder / "log.txt").write_text("mine")
    text = (
        "import os\n"
        "os.makedirs('checkpoints', exist_ok=True)\n"
        "for epoch in range(2):\n"
        "    train()\n"
        "    torch.save(model.state_dict(), f'checkpoints/{epoch}.pt')\n"
        "    open('log.txt', 'a').write('its')\n"
        "model.load_state_dict(torch.load('checkpoints/1.pt'))\n"
        "os.remove('log.txt')\n"
    )
    assert run(folder, text).is_whole
    assert (folder / "log.txt").read_text() == "mine"
    assert sorted(path.name for path in folder.iterdir()) == ["epochs_of.py", "log.txt"]


def test_random_numbers_and_patches_are_put_back(folder):
    call, step, before = torch.nn.Module.__call__, torch.optim.SGD.step, torch.get_rng_state()
    run(folder, "train()")
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.nn.Module.__call__ is call
    assert torch.optim.SGD.step is step
    assert "grad" not in vars(torch.nn.Parameter)


def test_the_run_is_made_once_and_is_the_same_again(folder):
    (folder / "train.py").write_text(f"{HEAD}for _ in range(2):\n    train()\n")
    target, other = script("train.py"), script("train.py")
    first = target.training.epochs()
    assert target.training.epochs() is first
    again = other.training.epochs()
    target.close()
    other.close()
    assert again == first
