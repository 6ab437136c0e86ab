"""All random operations of the dispatcher, and the means that stand for them."""

from __future__ import annotations

import pytest

# Random by their tag, and none that draw by themselves: a state of a generator, the choice of a
# kernel, a mask that a test of PyTorch fills, a softmax over nested tensors.
DRAW_NOTHING = {
    "_cudnn_init_dropout_state",
    "_fused_sdp_choice",
    "_fill_mem_eff_dropout_mask_",
    "_nested_tensor_softmax_with_shape",
    "_flash_attention_forward_no_dropout_inplace",
    "_cudnn_attention_forward_no_dropout_inplace",
}


def random_operations():
    """Return the names of the operations that PyTorch tags as random, with one overload each."""
    import torch

    found = {}
    for full in torch._C._dispatch_get_all_op_names():
        name, _, overload = full.removeprefix("aten::").partition(".")
        if full.startswith("aten::") and "out" not in overload:
            func = getattr(getattr(torch.ops.aten, name), overload or "default")
            if torch.Tag.nondeterministic_seeded in func.tags:
                found.setdefault(name, func)
    return found


CHOICES = {"randint", "randint_like", "random", "randperm", "multinomial"}


def test_every_random_operation_has_a_mean_or_is_a_choice_or_calls_others():
    import torch

    from symmetry.torch.modes.noise import NOISE

    unknown = []
    for name, func in random_operations().items():
        calls_others = func._can_decompose() or torch._C._dispatch_has_kernel_for_dispatch_key(
            func.name(), "CompositeImplicitAutograd"
        )
        drops = any(a.name in ("dropout", "dropout_p") for a in func._schema.arguments)
        known = name.rstrip("_") in NOISE | CHOICES or name in DRAW_NOTHING
        if not (known or drops or calls_others):
            unknown.append(name)
    assert unknown == []


def replaced(name, *args, **kwargs):
    import torch

    from symmetry.torch.modes.noise import with_mean

    func = getattr(torch.ops.aten, name).default
    return with_mean(func, name.rstrip("_"))(*args, **kwargs)


@pytest.mark.parametrize(
    ("name", "arguments", "mean"),
    [
        ("cauchy_", (2.0, 1.0), 2.0),
        ("geometric_", (0.25,), 4.0),
        ("log_normal_", (-0.5, 1.0), 1.0),
        ("poisson", (), 3.0),
        ("_standard_gamma", (), 3.0),
        ("_sample_dirichlet", (), 0.5),
        ("normal_functional", (7.0, 1.0), 7.0),
    ],
)
def test_means(name, arguments, mean):
    import torch

    assert replaced(name, torch.full((2,), 3.0), *arguments).tolist() == [mean] * 2


def test_a_binomial_number_has_the_mean_of_its_counts():
    import torch

    assert replaced("binomial", torch.tensor([4.0]), torch.tensor([0.5])).tolist() == [2.0]


@pytest.mark.parametrize("name", ["rrelu_with_noise", "rrelu_with_noise_"])
def test_slopes_that_are_drawn_are_their_mean_for_backward_as_well(name):
    import torch

    x, slopes = torch.tensor([-1.0, 2.0]), torch.zeros(2)
    assert replaced(name, x, slopes, 0.25, 0.75, True).tolist() == [-0.5, 2.0]
    assert slopes.tolist() == [0.5, 1.0]


def test_slopes_without_training_are_as_they_are():
    import torch

    assert replaced(
        "rrelu_with_noise", torch.tensor([-1.0]), torch.zeros(1), 0.5, 1.0
    ).tolist() == [-0.75]


def test_kernels_that_drop_inputs_by_themselves_drop_nothing():
    import torch

    from symmetry.torch.modes.noise import drops, without_dropping

    func = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default
    q = torch.ones(1, 1, 2, 4)
    assert drops(func, (q, q, q, 0.0)) == ()
    assert drops(func, (q, q, q, 0.5)) == (3,)
    kept, _ = without_dropping(func, (3,))(q, q, q, 0.5)
    assert torch.equal(kept, q)
