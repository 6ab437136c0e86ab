"""Rounding in another way: which numbers move, by how much, and which have to stay."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.distributed._functional_collectives as funcol
import torch.nn.functional as F
from torch import nn
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from symmetry.torch.modes.rounding import Rounding
from symmetry.training.response import GLANCE, Response
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining

EPS = torch.finfo(torch.float32).eps


def rounding(seed=0, **options):
    return Rounding(seed, **{"promoted": False, **options})


def numbers(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_results_move_by_up_to_an_eps_and_the_same_for_a_seed():
    a, b = numbers(50), numbers(50, seed=1)
    with rounding():
        moved = a * b
    with rounding():
        again = a * b
    with rounding(1):
        other = a * b
    gap = (moved - a * b).abs() / (a * b).abs()
    assert 0 < gap.max() <= 1.5 * EPS  # the sum with what it moves by is rounded, too
    assert torch.equal(moved, again)
    assert not torch.equal(moved, other)


def test_without_a_seed_and_while_it_is_paused_nothing_moves():
    a = numbers(50)
    with rounding(None):
        assert torch.equal(a * 3, (a * 3).clone())
        plain = a / 3
    with rounding() as mode, mode.paused():
        assert torch.equal(a / 3, plain)
    assert torch.equal(a / 3, plain)


def test_numbers_of_several_tensors_are_independent():
    """They are read from one array: the same ones would cancel in a quotient."""
    a, noises = numbers(4000, dtype=torch.float64), []
    mode = rounding(None)
    mode.seed = 0
    for function in (torch.expm1, torch.tanh, torch.exp):
        exact = function(a)
        with mode:
            moved = function(a)
        noises.append(((moved - exact) / exact / np.finfo(float).eps).numpy())
    assert abs(np.corrcoef(noises) - np.eye(3)).max() < 0.1


def test_no_random_number_is_drawn_from_the_trainings_own():
    state = torch.get_rng_state()
    with rounding():
        _ = numbers(5) / 3
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("hashed", [False, True])
def test_a_sum_that_cancels_moves(hashed):
    """An L1 loss: the gradient of a bias is a sum of +-1/N, and Adam scales what is left of it."""
    terms = torch.tensor([0.1, 0.3, -0.1, -0.3])
    moved = []
    for seed in range(4):
        with rounding(seed, hashed=hashed):
            moved.append(float(terms.sum()))
    assert 0 < max(map(abs, moved)) < 4 * EPS


def test_what_is_written_in_place_or_by_many_at_once_moves():
    a, b = numbers(20), numbers(20, seed=1)
    expected = a * b
    for write in (lambda x: x.mul_(b), lambda x: torch._foreach_mul_([x], [b])):
        here = a.clone()
        with rounding():
            write(here)
        assert 0 < (here - expected).abs().max() < 1e-5


def exact(x):
    """Return operations that only hand on the numbers that they were given."""
    yield x.clone(), x
    yield torch.cat([x, x]), torch.cat([x, x])
    yield x.sort().values, torch.sort(x).values
    yield x.relu().max(), x.max()
    yield x.clamp(-0.1, 0.1).abs(), x.clone().clamp(-0.1, 0.1).abs()
    yield F.max_pool1d(x[None], 2)[0], x.view(-1, 2).max(1).values
    yield x[torch.tensor([3, 1])], torch.stack([x[3], x[1]])
    yield torch.where(x > 0, x, -x), x.abs()


def test_what_is_selected_or_copied_stays():
    """A mask of the largest number would be empty; ``acos`` of what is clamped would be NaN."""
    with rounding():
        x = numbers(8) / 3
        assert all(torch.equal(one, other) for one, other in exact(x))
        assert (x == x.max()).sum() == 1
        assert (x * 100).clamp(-1, 1).acos().isfinite().all()


def test_random_numbers_stay_those_that_were_drawn():
    torch.manual_seed(0)
    drawn = torch.rand(5), torch.randn(5), torch.bernoulli(torch.full((5,), 0.5))
    torch.manual_seed(0)
    with rounding():
        same = torch.rand(5), torch.randn(5), torch.bernoulli(torch.full((5,), 0.5))
    assert all(map(torch.equal, drawn, same))


def test_whole_numbers_stay():
    """Counters of optimisers, one-hot labels and loss scales: a power of beta would be another."""
    with rounding():
        counter, labels = torch.zeros(()), F.one_hot(torch.tensor([1, 0]), 3).float()
        for _ in range(5):
            counter = counter + 1
        assert counter == 5
        assert torch.equal(labels * 65536.0 / 65536.0, labels)
        assert torch.isneginf(torch.full((2,), -math.inf) + 1.5).all()


def test_a_large_number_is_no_counter():
    """From 1 / eps on every number is whole, in 16 bits those above 128."""
    with rounding():
        assert not torch.equal(torch.full((50,), 3e7) * 1.5, torch.full((50,), 4.5e7))
        wide = torch.full((50,), 200.0, dtype=torch.bfloat16) * 1.5
        assert wide.unique().numel() > 1


def test_what_stands_for_no_number_does_not_become_infinite():
    """A row that is masked as a whole would have a softmax of NaN."""
    least = torch.finfo(torch.float32).min
    for seed in range(4):
        with rounding(seed):
            scores = numbers(4) * 1e30 + torch.ones(4) * least
            assert scores.softmax(0).isfinite().all()


def test_entries_of_an_operand_stay():
    """``z + (h - z).detach()`` is 0 where h is 0, and an absolute value then has no slope."""
    with rounding():
        z = numbers(50) / 3
        for same in (z + 0, z * 1, z / 1, z - 0, z + torch.zeros(50, 1)[:, 0]):
            assert torch.equal(same, z)
        assert torch.equal(z + (torch.zeros(50) - z), torch.zeros(50))
        kept = z.clone()
        assert torch.equal(kept.mul_(1.0), z)


def test_in_float64_what_has_fewer_bits_stays():
    a = numbers(50)
    with rounding(promoted=True):
        assert torch.equal(a / 3, a.clone() / 3)
        assert (a.double() / 3 - a.clone().double() / 3).abs().max() > 0


def test_statistics_that_are_written_without_a_word_are_updated():
    """Batch normalisation writes into its operands: copies that were moved would get the update."""
    layer, plain = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    plain(numbers(16, 3) / 3)
    with rounding():
        layer(numbers(16, 3) / 3)
    assert torch.allclose(layer.running_mean, plain.running_mean)
    assert not torch.equal(layer.running_var, torch.ones(3))


def test_operations_of_others_get_their_own_operands():
    written = torch.library.Library("symmetry_test_rounding", "DEF")
    written.define("scale(Tensor x) -> Tensor")  # says nothing of what it writes

    def scale(x):
        x.mul_(2)
        return x.sum()

    written.impl("scale", scale, "CPU")
    x = numbers(5) / 3
    before = x.clone()
    with rounding():
        torch.ops.symmetry_test_rounding.scale(x)
    assert torch.equal(x, before * 2)


def test_lazily_conjugated_operands_keep_their_mark():
    a = numbers(6, dtype=torch.complex64)
    with rounding():
        product = (a.conj() * a).sum()
        dot = torch.vdot(a, a)
    for each in (product, dot):
        assert each.imag.abs() < 1e-5
        assert torch.allclose(each.real, a.abs().square().sum())


@pytest.mark.parametrize("hashed", [False, True])
def test_ties_are_broken(hashed):
    """A router of zeros: which experts it chooses is rounding."""
    scores = torch.zeros(64, 4) + 0.3
    with rounding(hashed=hashed):
        assert scores.softmax(1)[0].unique().numel() > 1


def test_replicas_stay_equal_if_numbers_move_by_a_hash():
    """Ranks with unequal batches perform other operations before those on their replicas."""
    weight, gradient = numbers(6, 4), numbers(6, 4, seed=1)
    updated = []
    for count in (3, 5):
        with rounding(hashed=True):
            _ = numbers(count, 4) @ weight.T
            updated.append(weight - 0.1 * gradient)
    assert torch.equal(*updated)
    assert not torch.equal(updated[0], weight - 0.1 * gradient)


def test_what_ranks_exchange_is_not_touched_before_it_has_arrived(tmp_path):
    """Another thread writes it meanwhile: a copy would be of what was there before."""
    store = dist.FileStore(str(tmp_path / "store"), 1)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        a, own = numbers(50), numbers(50)
        with rounding(hashed=True):
            added = funcol.all_reduce(a, "sum", dist.group.WORLD)
            dist.all_reduce(own)
            assert torch.equal(added.clone(), a)
            assert torch.equal(own, a)
    finally:
        dist.destroy_process_group()


def test_shapes_are_computed_as_ever():
    """DTensor finds by fake tensors how a result is laid out: they have no numbers."""
    with rounding(), FakeTensorMode() as fake:
        total = fake.from_tensor(numbers(3, 4)).matmul(torch.empty(4, 2)).add_(1)
    assert total.shape == (3, 2)


def test_hashes_are_spread_evenly():
    a, noises = numbers(4000, dtype=torch.float64), []
    exact = a.expm1()
    for seed in (0, 1):
        with rounding(seed, hashed=True):
            noises.append(a.expm1() - exact)
    noises = [((noise / exact) / np.finfo(float).eps).numpy() for noise in noises]
    for noise in noises:
        assert abs(noise).max() <= 2
        assert abs(noise.mean()) < 0.1
        assert 0.4 < noise.std() < 0.8
    assert abs(np.corrcoef(*noises)[0, 1]) < 0.1


@pytest.mark.parametrize("signs", ["same", "random"])
def test_a_long_sum_by_one_accumulator_is_explained(signs):
    """More than a million terms, in another order: it errs by the root of their number."""
    terms = numbers(1 << 20)
    terms = terms.abs() + 0.1 if signs == "same" else terms
    rows = torch.ones(len(terms), dtype=torch.long)

    def total(x):
        return float(torch.zeros(3).index_add(0, rows, x)[1])

    other = total(terms[torch.randperm(len(terms), generator=torch.Generator().manual_seed(0))])
    moved = []
    for seed in range(4):
        with rounding(seed):
            moved.append(total(terms))
    plain = total(terms)
    assert abs(other - plain) < 30 * max(abs(each - plain) for each in moved)


def test_operations_inside_of_a_subclass_move():
    from torch.testing._internal.two_tensor import TwoTensor

    a, b = numbers(20), numbers(20, seed=1)
    with rounding():
        both = TwoTensor(a, a.clone()) * TwoTensor(b, b.clone())
    assert 0 < (both.a - a * b).abs().max() < 1e-5


def test_it_sees_what_another_mode_performs():
    class Doubled(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            wide = [a.double() if isinstance(a, torch.Tensor) else a for a in args]
            return func(*wide, **(kwargs or {}))

    with rounding(promoted=True), Doubled():
        moved = numbers(20) * numbers(20, seed=1)
    assert 0 < (moved - numbers(20).double() * numbers(20, seed=1).double()).abs().max() < 1e-15


def l1():
    model = nn.Linear(3, 24)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

    def step(i):
        optimizer.zero_grad()
        F.l1_loss(model(numbers(8, 3, seed=i)), numbers(8, 24, seed=i + 9)).backward()
        optimizer.step()

    return model, step


def test_the_response_of_a_bias_whose_gradient_cancels():
    """Its weights move by an ulp as their starts do; rounding moves Adam's steps far more."""
    start = TrainingStart(FunctionTraining("l1", l1), dtype="float64")
    moved = Response(start._origin).of(GLANCE)
    assert moved[0]["model.bias"] > 1e-13


def test_an_optimiser_counts_its_steps():
    run = FunctionTraining("l1", l1).begin()
    run.round_by(0)
    *_, last = run.states(3)
    steps = [array for name, array in last.items() if "step" in name]
    assert all((array == 3).all() for array in steps)
