"""Checks of a model that exists: copies are trained, and nothing of it changes."""

from __future__ import annotations

import linecache
import random
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from symmetry import SymmetryError, check_model
from symmetry.torch.copied import CopiedTraining

FEW = {"only": ["symmetry/permutation", "symmetry/samples", "training/resume"]}


class Net(nn.Module):
    """Has parameters, running statistics and dropout."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Linear(6, 8), nn.BatchNorm1d(8)
        self.dropout, self.last = nn.Dropout(0.1), nn.Linear(8, 3)

    def forward(self, x):
        return self.last(self.dropout(self.norm(self.first(x)).relu()))


class LastUnit(torch.optim.SGD):
    """Leaves the last unit out when it clips."""

    def step(self, closure=None):
        for parameter in self.param_groups[0]["params"]:
            parameter.grad[:-1].clamp_(-1e-4, 1e-4)
        return super().step(closure)


def loss(model, batch):
    x, y = batch
    return cross_entropy(model(x), y)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(10, 6, generator=generator)
    return x, torch.randint(3, (10,), generator=generator)


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return Net()


def everything(model, optimizer, batch):
    """Return all that a check must leave as it is, in comparable form."""
    bits = {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}
    gradients = {n: p.grad.numpy().tobytes() for n, p in model.named_parameters()}
    modes = [module.training for module in model.modules()]
    hooks = [len(module._forward_pre_hooks) for module in model.modules()]
    return (
        bits,
        [id(p) for p in model.parameters()],
        gradients,
        modes,
        hooks,
        repr(optimizer.state_dict()),
        [tensor.numpy().tobytes() for tensor in batch],
        torch.get_rng_state().tolist(),
        random.getstate(),
        repr(np.random.get_state()),
        (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()),
    )


def the_answer_names_the_line(report):
    _, _, first, source, *_ = repr(report).splitlines()
    assert "test_copied.py:" in first
    assert source.strip() == "parameter.grad[:-1].clamp_(-1e-4, 1e-4)"
    assert "symmetry check" not in repr(report)  # no command finds a model by its name


@pytest.mark.parametrize("kind", [torch.optim.Adam, LastUnit])
def test_nothing_changes(kind, model, batch):
    optimizer = kind(model.parameters(), lr=0.1)
    loss(model, batch).backward()
    optimizer.step()
    model.norm.eval()
    before = everything(model, optimizer, batch)
    report = check_model(model, batch, loss, optimizer, **FEW)
    assert everything(model, optimizer, batch) == before
    assert report.ok == (kind is not LastUnit)
    if not report:
        the_answer_names_the_line(report)


def test_nothing_changes_if_the_loss_uses_the_original(model, batch):
    loss(model, batch).backward()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    before = everything(model, optimizer, batch)
    with pytest.raises(SymmetryError, match="calls another model than the one it is given"):
        check_model(model, batch, lambda _, batch: loss(model, batch), optimizer)
    assert everything(model, optimizer, batch) == before


def test_the_optimizer_is_a_fresh_one_of_the_same_kind_and_groups(model, batch):
    groups = [{"params": model.first.parameters(), "lr": 0.5}, {"params": [model.last.weight]}]
    optimizer = torch.optim.AdamW(groups, lr=0.25, betas=(0.8, 0.9), weight_decay=0.125)
    loss(model, batch).backward()
    optimizer.step()
    optimizer.param_groups[1]["lr"] = 0.0625  # as a scheduler does
    copy, step, extras = CopiedTraining(model, batch, loss, optimizer)()
    enclosed = [cell.cell_contents for cell in step.__closure__]
    (made,) = [value for value in enclosed if isinstance(value, torch.optim.Optimizer)]
    assert type(made) is torch.optim.AdamW
    assert not made.state
    settings = [(g["lr"], g["betas"], g["weight_decay"]) for g in made.param_groups]
    assert settings == [(0.5, (0.8, 0.9), 0.125), (0.0625, (0.8, 0.9), 0.125)]
    first, last = (group["params"] for group in made.param_groups)
    assert first[0] is copy.first.weight
    assert first[1] is copy.first.bias
    assert last[0] is copy.last.weight
    assert torch.equal(extras["batch"](0)[0], batch[0])


@pytest.mark.parametrize("own", [nn.CrossEntropyLoss(), cross_entropy])
def test_a_loss_of_pytorch_takes_the_outputs_and_the_targets(own, model, batch):
    trained = []
    for each in (own, loss):
        copy, step, extras = CopiedTraining(model, batch, each, None)()
        torch.manual_seed(0)  # of the dropout
        step(extras["batch"](0))
        trained.append(copy.parameters())
    for found, other in zip(*trained, strict=True):
        assert torch.equal(found, other)


class WithLoss(Net):
    """Returns its loss, as models of transformers do."""

    def forward(self, x, labels=None):
        logits = super().forward(x)
        return SimpleNamespace(loss=None if labels is None else cross_entropy(logits, labels))


def test_a_model_that_returns_its_loss_needs_no_other(batch):
    x, labels = batch
    model = WithLoss().eval()
    assert check_model(model, {"x": x, "labels": labels}, **FEW).ok
    assert not model.training
    with pytest.raises(
        SymmetryError, match=r"without a loss: give loss\(model, batch\), or labels"
    ):
        check_model(model, {"x": x})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model": print}, "the model must be an nn.Module, not a builtin"),
        ({"batch": 3}, "the batch must be a tensor, or a tuple or mapping of tensors, not an int"),
        ({"loss": "mse"}, r"the loss must be a function loss\(model, batch\), not a str"),
        ({"loss": lambda m, b: m(b[0])}, r"a Tensor of shape \(10, 3\), expected a scalar tensor"),
        ({"loss": lambda m, b: loss(m, b).item()}, "returned a float, expected a scalar tensor"),
        ({"loss": lambda m, b: loss(m, b).detach()}, "without a gradient"),
        ({"loss": lambda m, b: m(b)}, r"loss\(model, batch\) raised TypeError: .*test_copied.py:"),
        (
            {"loss": lambda m, b: m(b)},
            r"called with the model and the batch, as in lambda model, ba",
        ),
        (
            {"loss": nn.CrossEntropyLoss(), "batch": torch.ones(3, 2)},
            "CrossEntropyLoss takes outputs and targets, and the batch is no pair of inputs",
        ),
        ({"optimizer": 0.1}, "the optimizer must be a torch.optim.Optimizer, not a float"),
        (
            {"optimizer": torch.optim.SGD([torch.zeros(3, requires_grad=True)])},
            r"holds a tensor of shape \(3,\) that is no parameter of the model",
        ),
        ({"steps": 1}, "steps must be an integer of at least 2, not 1"),
    ],
)
def test_wrong_use_is_one_line(changed, message, model, batch):
    with pytest.raises(SymmetryError, match=message):
        check_model(**{"model": model, "batch": batch, "loss": loss} | changed)


def test_a_line_of_a_notebook_is_named_by_its_cell(model, batch, monkeypatch):
    name = "<ipython-input-3-0123456789ab>"
    lines = ("h = m.norm(m.first(b[0]))", "h = h * SCALE", "return error(m, h, b)")
    text = "\n    ".join(("def shifted(m, b):", *lines))
    shell = SimpleNamespace(compile=SimpleNamespace(_filename_map={name: 7}))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(linecache.cache, name, (len(text), None, text.splitlines(True), name))
    cell = {"__name__": "__main__", "SCALE": torch.arange(8.0), "error": _error}
    exec(compile(text, name, "exec"), cell)
    report = check_model(model, batch, cell["shifted"], only="symmetry/permutation")
    assert "In[7]:3 " in repr(report)


def _error(model, hidden, batch):
    return cross_entropy(model.last(hidden), batch[1])
