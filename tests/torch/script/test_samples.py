"""The samples of a script: rearranged in its loaders, and what is drawn for them beside these."""

from __future__ import annotations

from textwrap import dedent

import numpy as np
import pytest

from symmetry.api import check
from symmetry.base.errors import TrainingError
from symmetry.training.capabilities.batching import Reordering
from symmetry.training.run import RunSettings, needed
from tests.conftest import slow
from tests.torch.script import scripts
from tests.torch.script.helpers import script, written


def judged(training, dtype="float32"):
    report = check(training, only="symmetry/samples", dtype=dtype)
    found = {(v.kind, v.message) for v in report.verdicts}
    assert len({kind for kind, _ in found}) == 1, found
    return min(found)


def with_loss(folder, loss, **options):
    return written(folder, scripts.LOADER.format(loss=loss, **{"collate": "None", **options}))


ENTROPY = "entropy(net(x), y)"


def test_a_sound_script_does_not_know_their_order(folder):
    assert judged(script("train.py"), ("float32", "float64"))[0] == "holds"
    assert judged(with_loss(folder, ENTROPY))[0] == "holds"
    assert judged(with_loss(folder, "entropy(net(x.T), y)", collate="time_first"))[0] == "holds"


@pytest.mark.parametrize(
    ("loss", "why"),
    [
        ("entropy(net(x + torch.randn(x.shape)), y)", "between the first batch and the forward"),
        slow("entropy(net(x + other(len(x))), y)", "by NumPy or Python"),
        slow("entropy(net(x + own(len(x))), y)", "between the first batch and the forward"),
        slow("net(x).sum() * 0 + entropy(net(x + torch.randn(x.shape)), y)", "(other.py:"),
    ],
)
def test_what_draws_numbers_for_each_sample_is_not_judged(folder, loss, why):
    kind, message = judged(with_loss(folder, loss))
    assert kind == "vacuous"
    assert message.startswith("cannot judge: the step draws numbers for each sample (")
    assert why in message


@pytest.mark.slow
def test_what_mixes_samples_where_it_collates_them_is_not_judged(folder):
    kind, message = judged(with_loss(folder, ENTROPY, collate="mixed"))
    why = "the step draws numbers for each sample (where the batch is collated)"
    assert (kind, message) == ("vacuous", f"cannot judge: {why}")


@pytest.mark.slow
def test_what_wants_its_samples_sorted_is_not_judged(folder):
    kind, message = judged(with_loss(folder, f"{ENTROPY} * sorted_or_raise(n)"))
    assert kind == "vacuous"
    assert message.startswith(
        "cannot judge: with rearranged samples, other.py raised ValueError: not sorted"
    )


@pytest.mark.slow
def test_numbers_drawn_by_a_dataset_move_with_their_sample(folder):
    text = scripts.LOADER.replace(
        "return k, self.x[k]", "return k, self.x[k] + float(numbers.normal())"
    )
    (folder / "other.py").write_text(text.format(loss=ENTROPY, collate="None"))
    assert judged(script("other.py"))[0] == "holds"
    dropped = text.format(loss="entropy(net(x)[:-1], y[:-1])", collate="None")
    (folder / "other.py").write_text(dropped)
    assert judged(script("other.py"))[0] == "violated"


def test_without_a_loader_of_samples_nothing_is_rearranged(folder):
    kind, message = judged(written(folder, scripts.ACCUMULATED))
    assert kind == "not applicable"
    assert message == (
        "its batch is put together neither from samples by a DataLoader nor from rows of a tensor, "
        "has entries that are no tensors, or has no axis of at least two samples"
    )


LEFT_OUT = "sample 7 of each batch has no effect"
NO_SAMPLES = "cannot judge: the rows of one item of its data set may be no samples"


@pytest.mark.parametrize(
    ("loss", "kind", "message"),
    [
        ("net(x).square().mean()", "holds", ""),
        ("net(x).square()[:-1].mean()", "violated", LEFT_OUT),
        slow("net(x[:-1]).square().mean()", "vacuous", NO_SAMPLES),
        slow("(net(x)[1:] - x[:-1, :1]).square().mean()", "vacuous", NO_SAMPLES),
        slow("net(x.cumsum(0)).square()[:-1].mean()", "vacuous", NO_SAMPLES),
    ],
)
def test_an_item_of_the_data_set_may_be_a_whole_batch(folder, loss, kind, message):
    text = scripts.WHOLE_BATCHES.replace("net(x).square().mean()", loss)
    found, said = judged(written(folder, text))
    assert (found, said[: len(message)]) == (kind, message)


def test_one_sample_with_an_axis_of_its_own_is_rearranged_in_an_item(folder):
    one = "DataLoader(torch.randn(6, 8, 3), collate_fn=lambda items: items[0])"
    text = scripts.WHOLE_BATCHES.replace("DataLoader(torch.randn(6, 8, 3), batch_size=None)", one)
    assert one in text
    run = written(folder, text).begin(RunSettings())
    run.step()
    assert (run.samples(), needed(run, Reordering).doubt.about) == (8, "item")
    run.close()


def test_a_smaller_batch_has_the_same_order_without_the_samples_that_it_lacks(folder):
    text = scripts.LOADER.format(loss=ENTROPY, collate="None") + "    print(n.tolist())\n"
    run = written(folder, text).begin(RunSettings(order=np.array([3, 5, 4, 0, 2, 1, 7, 6])))
    run.step()
    assert run.samples() == 8
    for _ in range(5):
        run.step()
    printed = run.objects.step._execution._sandbox.printed
    assert printed[0] == "[3, 5, 4, 0, 2, 1, 7, 6]"
    assert printed[-1] == "[40, 42, 41]"
    run.close()


EPISODES = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Episodes:
    def __iter__(self):
        for _ in range(6):
            yield torch.randperm(24)[:8].tolist()


torch.manual_seed(0)
data = TensorDataset(torch.randn(24, 5), torch.randn(24, 3))
net = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for x, y in DataLoader(data, batch_sampler=Episodes()):
    optimizer.zero_grad()
    (net(x[4:]) - net(x[:4])).square().mean().backward()
    optimizer.step()
"""


def test_batches_that_a_class_of_the_users_makes_stay_as_they_are(folder):
    assert judged(written(folder, EPISODES))[0] == "not applicable"


TAUGHT = """
import torch
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(0)
teacher, student = nn.Linear(5, 3), nn.Linear(5, 3)
optimizer = torch.optim.SGD(student.parameters(), 0.1)
for x in DataLoader(torch.randn(24, 5), batch_size=8):
    with torch.no_grad():
        wanted = teacher(x)
    optimizer.zero_grad()
    (student(x) - wanted).square().mean().backward()
    optimizer.step()
"""


@pytest.mark.parametrize(
    ("dtype", "doubt"),
    [
        ("float32", ""),
        ("float64", "before the first step a model computes in fewer bits (other.py:11)"),
    ],
)
def test_the_rounding_of_a_teacher_is_in_no_response_of_float64(folder, dtype, doubt):
    run = written(folder, TAUGHT).begin(RunSettings(dtype=dtype))
    run.step()
    assert needed(run, Reordering).doubt.why == doubt
    run.close()


@pytest.mark.parametrize("order", [None, np.array([1, 0, 2, 3])])
def test_lines_are_shown_only_where_a_script_raises_as_it_is_written(folder, capfd, order):
    text = """
    import torch

    net = torch.nn.Linear(1, 1)
    sgd = torch.optim.SGD(net.parameters(), 0.1)
    for x in torch.utils.data.DataLoader(torch.arange(8.0)[:, None], 4):
        net(x).sum().backward()
        print("reads", x[0].item())
        sgd.step()
        raise ValueError
    """
    run = written(folder, dedent(text)).begin(RunSettings(order=order))
    capfd.readouterr()
    with pytest.raises(TrainingError, match="ValueError"):
        run.step()
    run.close()
    assert capfd.readouterr().err == ("reads 0.0\n" if order is None else "")
