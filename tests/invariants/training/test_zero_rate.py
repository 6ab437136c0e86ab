"""What optimisers do: nothing at rates of zero, and something to each gradient."""

from __future__ import annotations

import pytest

from tests.invariants.beside import beside, noisy_by_numpy, verdicts
from tests.training.small import checked, kinds, training


def weights_noisy_by_numpy(model):
    add = noisy_by_numpy(model)

    def add_to_weights(i):
        for parameter in model.parameters():
            parameter.grad = parameter.data
        add(i)

    return lambda _: None, add_to_weights


def clipped(model):
    def clip(_):
        for parameter in model.parameters():
            parameter.data.clamp_(-0.05, 0.05)

    return lambda _: None, clip


def pruned_more_and_more(model):
    def prune(i):
        size = model[0].weight.data.abs()
        model[0].weight.data.mul_(size > size.flatten().kthvalue(i + 1).values)

    return lambda _: None, prune


def shrunk_after_a_while(model):
    def shrink(i):
        if i > 0:
            model[0].weight.data.mul_(0.999)

    return lambda _: None, shrink


@pytest.mark.parametrize("change", [clipped, pruned_more_and_more])
def test_weights_that_are_clipped_or_pruned_are_not_accused(change):
    found, _ = verdicts(beside(change), "training/zero-rate")
    (verdict,) = found.values()
    assert verdict.kind == "vacuous"
    assert "moves in step 1 alone, or to zero: clipped or pruned?" in verdict.message


def test_weights_with_noise_of_others_are_not_accused_of_moving():
    found, _ = verdicts(beside(weights_noisy_by_numpy), "training/zero-rate")
    (verdict,) = found.values()
    assert verdict.kind == "vacuous"
    assert "a tensor that each step has anew" in verdict.message


def test_what_goes_on_moving_at_a_rate_of_zero_is_accused():
    found, _ = verdicts(beside(shrunk_after_a_while), "training/zero-rate")
    (verdict,) = found.values()
    assert verdict.kind == "violated"
    assert "in step 2 model.0.weight" in verdict.message


@pytest.mark.parametrize("to_none", [True, False])
def test_gradients_that_are_cleared_before_the_update_are_told(to_none):
    found = checked(
        training(after=lambda model: model.zero_grad(set_to_none=to_none)), only=["training/moves"]
    )
    (verdict,) = found.verdicts
    assert verdict.kind == "violated"
    assert verdict.message.startswith("backward leaves gradients, and no update finds any")


def test_gradients_that_come_within_the_update_are_not_lost():
    def make():
        import torch

        model = torch.nn.Linear(3, 2)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(i):
            x = torch.randn(4, 3, generator=torch.Generator().manual_seed(i))

            def closure():
                loss = model(x).square().mean()
                loss.backward()
                return loss

            optimizer.step(closure)
            optimizer.zero_grad()

        return model, step

    (verdict,) = checked(make, only=["training/moves"]).verdicts
    assert verdict.kind == "holds"


def test_an_optimiser_without_a_rate_is_no_error():
    def make():
        model, step = training(after=lambda model: found[0].step())()
        found[:] = [Unrated(model.parameters())]
        return model, step, {"own": found[0]}

    import torch

    class Unrated(torch.optim.SGD):
        """Chooses its rate itself, as Adafactor does."""

        def __init__(self, parameters):
            super().__init__(parameters, 0.1)
            self.param_groups[0]["lr"] = None

        def step(self, closure=None):
            self.param_groups[0]["lr"] = 0.1
            super().step(closure)
            self.param_groups[0]["lr"] = None

    found = []
    verdicts = kinds(checked(make, only=["training/*"]))
    assert verdicts["zero-rate", "float32"] == "not applicable"
    assert verdicts["moves", "float32"] == "holds"


@pytest.mark.parametrize("bug", [False, True])
def test_an_optimiser_of_ones_own_is_seen_to_step(bug):
    def make():
        import torch

        class Own:
            __slots__ = ("param_groups", "state")

            def __init__(self, parameters):
                self.param_groups, self.state = [{"params": [*parameters], "lr": 0.1}], {}

            @torch.no_grad()
            def step(self):
                (group,) = self.param_groups
                for parameter in group["params"]:
                    parameter -= group["lr"] * parameter.grad + 0.01 * bug

            def state_dict(self):
                return {"lr": self.param_groups[0]["lr"]}

            def load_state_dict(self, saved):
                self.param_groups[0]["lr"] = saved["lr"]

        model = torch.nn.Linear(3, 2)
        optimizer = Own(model.parameters())

        def step(i):
            model.zero_grad()
            model(torch.ones(1, 3) * (i + 1)).square().sum().backward()
            optimizer.step()

        return model, step, {"optimizer": optimizer}

    found = kinds(checked(make, only=["training/*"]))
    assert found["zero-rate", "float32"] == ("violated" if bug else "holds")
    assert found["moves", "float32"] == found["resume", "float32"] == "holds"
