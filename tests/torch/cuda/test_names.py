"""What scripts ask CUDA for: there is one device, on which everything is done at once."""

from __future__ import annotations

import pytest
import torch
from torch import nn

pytestmark = pytest.mark.usefixtures("cuda")


def test_there_is_one_device():
    assert torch.cuda.is_available()
    assert torch.cuda.device_count() == 1
    assert torch.cuda.current_device() == 0


def test_streams_and_events(cuda):
    stream, begin = torch.cuda.Stream(), torch.cuda.Event(enable_timing=True)
    end = torch.cuda.Event(enable_timing=True)
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream), torch.cuda.device(0):
        begin.record()
        end.record()
    end.synchronize()
    assert begin.elapsed_time(end) > 0
    assert isinstance(stream, torch.cuda.Stream)
    assert [*cuda.uses] == ["streams"]


def test_seeds_of_cuda_change_no_numbers_of_the_cpu():
    torch.manual_seed(3)
    first = torch.rand(2)
    torch.cuda.manual_seed_all(3)
    torch.cuda.set_rng_state(torch.cuda.get_rng_state())
    assert not torch.equal(torch.rand(2), first)


def test_compiled_models_are_themselves(cuda):
    model = nn.Linear(2, 2)
    assert torch.compile(model.cuda(), mode="max-autotune")._orig_mod is model
    assert torch.compile(dynamic=True)(len) is len
    assert "torch.compile" in cuda.uses


def test_loaders_pin_no_memory():
    for arguments in ({"pin_memory": True}, {"pin_memory": True, "pin_memory_device": "cuda"}):
        loader = torch.utils.data.DataLoader(torch.zeros(4, 2), 2, **arguments)
        assert next(iter(loader)).shape == (2, 2)
