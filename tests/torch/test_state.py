"""The names of the state's arrays, and reading and writing them."""

from __future__ import annotations

import numpy as np
import pytest


def arrays(model, optimizers=None, extras=None):
    from symmetry.torch.objects import Objects
    from symmetry.torch.state import tensors_of

    found = Objects(model, lambda i: None, optimizers or {}, extras or {}, None, 0)
    return tensors_of(found)


def test_a_tensor_has_one_name_and_complex_numbers_are_pairs():
    import torch

    model = torch.nn.Module()
    model.a = torch.nn.Parameter(torch.ones(2))
    model.b = model.a
    model.register_buffer("c", torch.ones(3, dtype=torch.complex64))
    model.register_buffer("count", torch.tensor(0))
    assert {n: tuple(t.shape) for n, t in arrays(model).items()} == {
        "model.a": (2,),
        "model.c": (3, 2),
    }


def test_what_an_optimiser_keeps_is_named_after_its_parameter():
    import torch

    model, other = torch.nn.Linear(2, 1, bias=False), torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([*model.parameters(), other], 0.1, momentum=0.9)
    model(torch.ones(1, 2)).sum().backward()
    other.grad = torch.ones(3)
    optimizer.step()
    assert [*arrays(model, {"sgd": optimizer})] == [
        "model.weight",
        "sgd.held.0",
        "sgd.momentum_buffer.weight",
        "sgd.momentum_buffer.sgd.held.0",
    ]


def test_wrappers_do_not_show_in_names():
    from symmetry.torch.state import unwrapped

    assert unwrapped("_orig_mod.net._fsdp_wrapped_module.fc.weight") == "net.fc.weight"


@pytest.mark.parametrize(
    ("dtype", "array"),
    [("float64", np.float64), ("float32", np.float32), ("bfloat16", np.float32)],
)
def test_numbers_are_read_and_written_as_they_are(dtype, array):
    import torch

    from symmetry.torch.state import as_array, write

    tensor = torch.tensor([1.5, -2.0], dtype=getattr(torch, dtype))
    assert as_array(tensor).dtype == array
    write(tensor, as_array(tensor) * 2)
    assert tensor.tolist() == [3, -4]


def test_a_tensor_whose_memory_was_taken_away_has_no_bytes():
    import torch

    from symmetry.torch.state import bytes_of, is_freed

    tensor = torch.ones(3)
    assert (is_freed(tensor), len(bytes_of(tensor))) == (False, 12)
    assert not is_freed(torch.ones(0))
    tensor.untyped_storage().resize_(0)
    assert (is_freed(tensor), bytes_of(tensor)) == (True, b"")
