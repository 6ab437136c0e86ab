"""The probe of a run: what it observes, and what outputs are with other tokens."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from symmetry.training.baseline import FirstRuns
from symmetry.training.losses import LossProbe, Tokens
from symmetry.training.run import RunSettings
from symmetry.training.target import FunctionTraining


def language():
    import torch
    from torch import nn

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.norm = nn.Embedding(9, 4), nn.BatchNorm1d(4)
            self.rnn, self.head = nn.GRU(4, 5, batch_first=True), nn.Linear(5, 9)

        def forward(self, scale, text):
            x = self.norm(self.embedding(text).transpose(1, 2)).transpose(1, 2)
            return self.head(self.rnn(scale * x)[0])

    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i):
        text = (torch.arange(14).reshape(2, 7) * 5 + i) % 9
        scores = model(torch.ones(()), text=text[:, :-1])
        loss = nn.functional.cross_entropy(scores.flatten(0, 1), text[:, 1:].flatten())
        optimizer.zero_grad()
        (loss + scores.square().sum()).backward()
        optimizer.step()

    return model, step


def begun():
    run = FunctionTraining("language", language).begin(RunSettings(dtype="float64"))
    return run, run.capability(LossProbe)


def observed():
    run, probe = begun()
    with probe.observed() as found:
        run.step()
        run.step()
    return found


def test_two_steps_are_observed():
    found = observed()
    assert [(loss.function, loss.step) for loss in found.losses] == [
        ("cross_entropy", 0),
        ("cross_entropy", 1),
    ]
    scores, target = (found.losses[0].arguments[name] for name in ("input", "target"))
    assert scores.trained
    assert scores.shape == (12, 9)
    assert target.labels.tolist()[:3] == [5, 1, 6]
    assert found.losses[0].options["reduction"] == "mean"
    assert [shape for shape, _ in found.sums] == [(2, 6, 9)] * 2
    (tokens,) = found.tokens  # of the first step
    assert (tokens.call, tokens.argument, tokens.array.shape) == (0, 1, (2, 6))


def pictures():
    import torch
    from torch import nn

    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i):
        loss = nn.functional.cross_entropy(model(torch.ones(2, 1, 4, 4)), torch.tensor([0, i]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return model, step


@pytest.mark.parametrize(("training", "rows"), [(language, True), (pictures, False)])
def test_rows_are_looked_for_where_there_may_be_some(training, rows):
    first = FirstRuns(FunctionTraining("t", training), RunSettings(dtype="float64"))
    assert first.may_have_rows is rows
    begun = []
    first.target = SimpleNamespace(with_run=lambda function, _: begun.append(function) or ())
    assert (first.packed, first.packed) == ((), ())
    assert len(begun) == rows  # once


def outputs(tokens):
    run, probe = begun()
    with probe.outputs(tokens) as found:
        run.step()
    return found[0]


def test_other_tokens_move_the_outputs_that_come_after_them():
    (tokens,) = observed().tokens
    other = tokens.array.copy()
    other[:, 3:] = (other[:, 3:] + 1) % 9
    plain, moved = outputs(tokens), outputs(Tokens(tokens.call, tokens.argument, other))
    gaps = abs(plain - moved).max(1).reshape(2, 6) > 1e-9
    assert gaps.tolist() == [[False] * 3 + [True] * 3] * 2  # batch normalisation mixes nothing


def test_positions_of_inputs_and_outputs_are_summed():
    (tokens,) = observed().tokens
    run, probe = begun()
    with probe.positions(tokens) as found:
        run.step()
    kinds = [module.kind for module, _, _ in found]
    assert kinds == ["Embedding", "BatchNorm1d", "GRU", "Linear", "Model"]
    given, made = found[1][1:]
    assert given[0].shape == made[0].shape == (2, 6)
    assert len(np.unique(given[0])) > 3
