"""Mixed precision has the dtypes that it has on CUDA."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

pytestmark = pytest.mark.usefixtures("cuda")

HALF, FULL = torch.float16, torch.float32
OPERATIONS = {
    "linear": (lambda x: functional.linear(x, torch.ones(2, 2)), HALF),
    "add": (lambda x: x + 1, HALF),
    "softmax": (lambda x: functional.softmax(x, -1), FULL),
    "layer_norm": (lambda x: functional.layer_norm(x, (2,)), FULL),
    "sum": (lambda x: x.sum(), FULL),
    "exp": (lambda x: x.exp(), FULL),
    "pow": (lambda x: x.pow(2), FULL),
    "cross_entropy": (lambda x: functional.cross_entropy(x, torch.zeros(1).long()), FULL),
    "mse_loss": (lambda x: functional.mse_loss(x, x), FULL),
}


@pytest.mark.parametrize(("operation", "dtype"), OPERATIONS.values(), ids=OPERATIONS)
def test_autocast_has_the_list_of_cuda(operation, dtype):
    x = torch.ones(1, 2, dtype=HALF)
    with torch.autocast("cuda"):
        assert operation(x).dtype == dtype


def test_autocast_says_what_it_is(cuda):
    with torch.autocast(device_type="cuda", dtype=torch.bfloat16):
        assert torch.is_autocast_enabled()
        assert torch.get_autocast_dtype("cuda") == torch.bfloat16
        with torch.autocast("cuda", enabled=False):
            assert not torch.is_autocast_enabled()
    with torch.autocast("cuda", dtype=torch.float32):
        assert not torch.is_autocast_enabled()
    assert [*cuda.uses] == ["autocast bfloat16"]


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("scaler", [torch.amp.GradScaler, torch.cuda.amp.GradScaler])
def test_gradients_are_scaled(scaler, fused):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.LayerNorm(16), nn.Linear(16, 3))
    optimizer = torch.optim.AdamW(model.cuda().parameters(), fused=fused, capturable=not fused)
    scaling, before = scaler(init_scale=2.0**8), model[0].weight.detach().clone()
    with torch.cuda.amp.autocast():
        x = torch.randn(5, 1, 4, 4, device="cuda")
        loss = functional.cross_entropy(model(x), torch.zeros(5).long().cuda())
    scaling.scale(loss).backward()
    scaling.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaling.step(optimizer)
    scaling.update()
    assert scaling.get_scale() == 2**8  # nothing overflows
    assert not torch.equal(model[0].weight, before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_convolutions_have_their_gradients(dtype):
    convolution, x = nn.Conv2d(2, 3, 3).to(dtype), torch.randn(2, 2, 5, 5).to(dtype)
    convolution(x).sum().backward()
    found = convolution.weight.grad
    assert found is not None
    assert found.dtype == dtype
    wide = nn.Conv2d(2, 3, 3, dtype=torch.float64)
    wide.load_state_dict(convolution.state_dict())
    wide(x.double()).sum().backward()
    torch.testing.assert_close(found.double(), wide.weight.grad, rtol=5e-3, atol=5e-3)


def test_a_function_of_the_users_computes_in_its_own_dtype():
    class Doubled(torch.autograd.Function):
        @staticmethod
        @torch.amp.custom_fwd(device_type="cuda", cast_inputs=torch.float32)
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        @torch.amp.custom_bwd(device_type="cuda")
        def backward(ctx, gradient):
            return 2 * gradient

    with torch.autocast("cuda"):
        assert Doubled.apply(torch.ones(2, dtype=HALF)).dtype == FULL
