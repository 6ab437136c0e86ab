"""``training/moves``: why nothing moves, and the notes on what never trains."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from symmetry.invariants.training.moves import moves
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining
from tests.checking import check_target
from tests.faulty.trainings import movement as broken
from tests.sound.trainings import movement as sound
from tests.sound.trainings.models import numbers
from tests.sound.trainings.steps import plain
from tests.torch.script.helpers import written


def measured(make):
    return moves(TrainingStart(FunctionTraining("training", make), "float32"))


def line_of(module, text):
    lines = Path(module.__file__).read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


@pytest.mark.parametrize(
    ("make", "said", "line"),
    [
        (
            broken.loss_wrapped_again,
            "the loss was made without a history that leads to the model. item() (tests/faulty/",
            "torch.tensor(F.cross_entropy(out, y).item(), requires_grad=True)",
        ),
        (
            broken.outputs_detached,
            "cuts the gradient off: leave it out on the way to the loss.",
            "F.cross_entropy(out.detach().requires_grad_(), y)",
        ),
        (
            broken.predictions_counted,
            "it has no derivative: give the loss the scores themselves.",
            "return (out.argmax(1) != y).float().mean().requires_grad_()",
        ),
        (
            broken.outputs_rounded,
            "cuts the gradient off: its derivative is zero everywhere.",
            "F.mse_loss(out.round(), F.one_hot(y, 4).float())",
        ),
        (
            broken.rate_of_zero,
            "another one. Give the optimiser a learning rate above zero.",
            "optimizer = torch.optim.SGD(model.parameters(), **{",
        ),
    ],
)
def test_it_is_said_why_nothing_moves(make, said, line):
    violation = measured(make).violation
    assert violation.message.startswith("nothing can move: ")
    assert said in violation.message
    assert violation.line == (None if line is None else line_of(broken, line))


def with_head(*, late):
    """Return a training whose optimiser does not hold the head: one made late, or left out."""

    def make():
        model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
        held = model.parameters() if late else model[0].parameters()
        optimizer = torch.optim.SGD(held, 0.1)
        if late:
            model[2] = nn.Linear(8, 4)
        return plain(model, optimizer, lambda i: model(numbers(12, 6, seed=i)).square().mean())

    return make


@pytest.mark.parametrize(
    ("late", "why", "line"),
    [
        (True, "since it was made after the optimiser (tests/", "model[2] = nn.Linear(8, 4)"),
        (False, "no optimiser holds it", "optimizer = torch.optim.SGD(held, 0.1)"),
    ],
)
def test_what_no_optimiser_holds_is_told_with_the_line_of_the_optimiser_or_the_head(
    late, why, line
):
    violation = measured(with_head(late=late)).violation
    assert violation.array == "model.2.weight"
    assert why in violation.message
    assert violation.line == line_of(sys.modules[__name__], line)


@pytest.mark.parametrize(
    ("make", "note"),
    [
        (sound.warm_up_of_many_steps_by_hand, "all learning rates are 0 in the first 4 steps"),
        (sound.hinge_that_is_met, "the loss is 0, and there is nothing to learn"),
        (
            sound.evolution_writes_its_own_gradients,
            "the parameters of the optimisers require no gradient",
        ),
    ],
)
def test_what_may_move_later_is_not_judged(make, note):
    found = measured(make)
    assert found.violation is None
    assert found.note == f"cannot judge: {note}"


def test_the_line_is_of_the_loss_before_the_first_update():
    assert not measured(sound.generator_is_updated_late).notes
    found = measured(lambda: sound.late_generator(lambda fake: fake.detach()))
    (note,) = found.notes
    assert note.name == "training/cut"
    assert "generator.bias" in note.text
    assert note.line == line_of(sys.modules[__name__], "late_generator(lambda")


def test_a_parameter_that_a_gradient_never_reaches_is_noted_with_the_line():
    (note,) = measured(sound.features_without_gradient).notes
    assert note.name == "training/cut"
    assert note.text.startswith(
        "an optimiser holds fc1.bias and 1 other parameter, and the loss depends on it, but it "
        "never receives a gradient, since torch.no_grad() "
    )
    block = line_of(sound, "class Features(OneLayer):")
    assert note.line == block + 3  # in the block, where fc1 is called


def test_gradients_that_are_dropped_in_the_first_steps_are_noted_for_these():
    """DINO drops those of its last layer in the first epoch."""

    def make():
        model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(number):
            optimizer.zero_grad()
            model(numbers(12, 6, seed=number)).square().mean().backward()
            for parameter in model[2].parameters():
                parameter.grad = None
            optimizer.step()

        return model, step

    (note,) = measured(make).notes
    assert note.name == "training/cut"
    assert "but it receives no gradient in 4 steps: it stays as it is" in note.text


def test_a_parameter_whose_gradients_are_all_zero_is_noted_with_the_line():
    (note,) = measured(sound.signs_without_derivative).notes
    assert note.name == "training/cut"
    assert note.text.startswith(
        "an optimiser holds fc1.weight, and the loss depends on it, but all its gradients are "
        "zero, since sign() "
    )
    assert note.line == line_of(sound, "signs = torch.sign(weight)")
    assert not measured(sound.signs_with_a_gradient_straight_through).notes


def test_a_network_that_no_optimiser_holds_is_noted_once():
    (note,) = measured(sound.linear_probe).notes
    assert note.name == "training/unheld"
    assert "call encoder.requires_grad_(False)" in note.text


def test_layers_in_a_plain_list_are_noted_at_the_line_that_makes_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (verdict,) = check_target(written(tmp_path, _IN_A_LIST), only=["training/moves"]).verdicts
    (note,) = verdict.notes
    assert note.name == "training/unheld"
    assert "of linear and 2 other modules (made at other.py:8)" in note.text
    assert note.line == 8


_IN_A_LIST = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = [nn.Linear(4, 4) for _ in range(3)]
        self.out = nn.Linear(4, 2)
    def forward(self, x):
        for layer in self.hidden:
            x = layer(x).tanh()
        return self.out(x)

torch.manual_seed(0)
net = Net()
sgd = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(8):
    sgd.zero_grad()
    net(torch.randn(6, 4)).square().mean().backward()
    sgd.step()
"""


def test_a_target_that_moves_too_is_noted_with_the_line():
    (note,) = measured(sound.two_views_are_pulled_together).notes
    assert note.name == "loss/target"
    assert note.line == line_of(sound, "F.mse_loss(model(x), model(x + 0.1")


def by_loss(loss, model=None):
    def make():
        net = nn.Linear(6, 4) if model is None else model()
        return plain(net, torch.optim.SGD(net.parameters(), 0.1), lambda i: loss(net, i))

    return make


@pytest.mark.parametrize(
    ("term", "names"),
    [
        (lambda out: 0.1 * torch.tensor(out.abs().mean().item()), ["loss/term"]),
        (lambda out: out.abs().mean().detach(), ["loss/term"]),
        (lambda out: out.new_tensor(out.abs().mean().item()), ["loss/term"]),
        (lambda out: 0.1 * out.abs().mean().item(), ["loss/term"]),  # Python multiplies
        (lambda out: sum(row.abs().mean().item() for row in out), ["loss/term"]),
        (lambda out: -(1.5 - out.abs().mean().item()) / 3, ["loss/term"]),
        (lambda out: out.mean() * (1.5 - out.abs().mean().item()), []),  # a baseline
        (lambda out: out.abs().mean() / out.abs().mean().item(), []),
        (lambda out: len(f"{out.abs().mean().item():.3f}"), []),
        (lambda out: out.new_zeros(()) + out.abs().mean(), []),  # only its dtype is taken
        (lambda out: 0.1 * out.abs().mean(), []),
        (lambda out: torch.tensor(0.3), []),
    ],
)
def test_a_term_without_gradient_is_noted(term, names):
    def loss(net, i):
        out = net(numbers(5, 6, seed=i))
        return out.square().mean() + term(out)

    assert [note.name for note in measured(by_loss(loss)).notes] == names


@pytest.mark.parametrize(("create", "names"), [(True, []), (False, ["loss/term"])])
def test_a_penalty_of_a_gradient_needs_its_graph(create, names):
    def loss(net, i):
        x = numbers(5, 6, seed=i).requires_grad_()
        out = net(x).square().mean()
        (slope,) = torch.autograd.grad(out, x, create_graph=create, retain_graph=True)
        return out + slope.square().mean()

    found = measured(by_loss(loss)).notes
    assert [note.name for note in found] == names
    assert all("without create_graph=True" in note.text for note in found)


class Language(nn.Module):
    def __init__(self, *, tied):
        super().__init__()
        self.embed, self.head = nn.Embedding(11, 6), nn.Linear(6, 11, bias=False)
        if tied:
            self.head.weight = self.embed.weight
        else:
            self.head.weight.data = self.embed.weight.data.clone()

    def forward(self, ids):
        return self.head(self.embed(ids))


@pytest.mark.parametrize("tied", [True, False])
def test_weights_that_start_as_copies_are_noted(tied):
    def loss(net, i):
        ids = torch.arange(10).roll(i)
        return F.cross_entropy(net(ids), ids.roll(1))

    found = measured(by_loss(loss, lambda: Language(tied=tied)))
    assert [note.name for note in found.notes] == ["training/tying"] * (not tied)


def test_layers_that_are_copies_of_one_another_are_not_noted():
    def model():
        layer = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, batch_first=True)
        return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    found = measured(by_loss(lambda net, i: net(numbers(2, 3, 6, seed=i)).std(), model))
    assert found.counted
    assert found.notes == ()


@pytest.mark.parametrize("shared", [True, False])
def test_a_module_that_a_list_holds_twice_is_noted(shared):
    def model():
        layer = nn.Linear(6, 6)
        return nn.Sequential(layer, nn.ReLU(), layer if shared else nn.Linear(6, 6), nn.ReLU())

    found = measured(by_loss(lambda net, i: net(numbers(5, 6, seed=i)).std(), model))
    assert [(n.name, n.text[:2]) for n in found.notes] == [("model/repeated", "2 ")] * shared


@pytest.mark.parametrize(
    ("change", "noted"),
    [
        (lambda x: x.view(3, 5, 6), True),
        (lambda x: x.transpose(0, 1), False),
        (lambda x: x.view(5, 2, 3, 3), False),  # which of the threes is which is not known
        (lambda x: numbers(5, 2, 7, 3).reshape(5, 7, 6), True),
        (lambda x: numbers(6, 7).view(2, 7, 3), True),
    ],
)
def test_a_view_that_names_axes_in_another_order_is_noted(change, noted):
    def loss(net, i):
        return (net.weight.sum() * change(numbers(5, 3, 6, seed=i))).std()

    found = measured(by_loss(loss))
    assert [note.name for note in found.notes] == ["model/views"] * noted
