"""Each way in which scripts make tensors on CUDA, and move them there and back."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from symmetry.torch.cuda.cuda_on_cpu import CudaOnCpu
from tests.torch.cuda.scripted import padded

pytestmark = pytest.mark.usefixtures("cuda")

MADE = {
    "zeros": lambda: torch.zeros(2, device="cuda"),
    "a number": lambda: torch.ones(2, device=0),
    "a device": lambda: torch.tensor([1.0], device=torch.device("cuda", 0)),
    "as_tensor": lambda: torch.as_tensor([1.0], device="cuda"),
    "randn": lambda: torch.randn(2, device="cuda"),
    "normal": lambda: torch.normal(0.0, 1.0, (2,), device="cuda"),
    "hann_window of a number": lambda: torch.hann_window(4, device=0),
    "range": lambda: torch.range(1, 4, device="cuda"),
    "asarray": lambda: torch.asarray([1.0], device="cuda"),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(2)], device="cuda")[0],
    "sparse": lambda: torch.sparse_csr_tensor([0, 1], [0], [1.0], (1, 1), device="cuda").to_dense(),
    "device of a number": lambda: torch.zeros(2, device=torch.device(1)),
    "hann_window": lambda: torch.hann_window(4, device="cuda"),
    "tril_indices": lambda: torch.tril_indices(2, 2, device="cuda"),
    "zeros_like": lambda: torch.zeros_like(torch.ones(2), device="cuda"),
    "new_zeros": lambda: torch.ones(2).new_zeros(3, device="cuda"),
    "a module": lambda: nn.Linear(2, 2, device="cuda").weight,
    "pinned": lambda: torch.zeros(2, pin_memory=True).pin_memory(),
    "FloatTensor": lambda: torch.cuda.FloatTensor([1, 2]),
    "LongTensor": lambda: torch.cuda.LongTensor(2),
    "a generator": lambda: torch.randn(
        2, device="cuda", generator=torch.Generator("cuda").manual_seed(1)
    ),
}
MOVED = {
    ".cuda": lambda x: x.cuda(),
    ".cuda(0)": lambda x: x.cuda(0, non_blocking=True),
    ".to": lambda x: x.to("cuda"),
    ".to(0)": lambda x: x.to(0, non_blocking=True),
    ".to(device=)": lambda x: x.to(device=torch.device("cuda:0"), dtype=torch.float64),
    ".type": lambda x: x.type("torch.cuda.DoubleTensor"),
    ".type(T)": lambda x: x.type(torch.cuda.HalfTensor),
    "beside": lambda x: x.to(torch.zeros(1, device="cuda")),
}


def place_of(tensor: torch.Tensor) -> torch.device:
    """Return where a tensor is in truth, as libraries are told."""
    return torch._C.TensorBase.device.__get__(tensor)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_tensors_are_made_on_the_cpu(make):
    assert place_of(make()).type == "cpu"


@pytest.mark.parametrize("move", MOVED.values(), ids=MOVED)
def test_a_move_to_cuda_copies_once(move):
    x = torch.ones(2)
    moved = move(x)
    moved.add_(1)
    assert x.tolist() == [1, 1]
    assert moved.cuda().data_ptr() == moved.data_ptr()


def test_a_move_to_the_cpu_copies_what_is_on_cuda():
    model = nn.Linear(2, 2).cuda()
    best = {name: value.cpu() for name, value in model.state_dict().items()}
    kept = best["weight"].clone()
    with torch.no_grad():
        model.weight.add_(1)
    assert torch.equal(best["weight"], kept)
    assert best["weight"].cpu() is best["weight"]
    assert model.weight.detach().to("cpu").data_ptr() != model.weight.data_ptr()


@pytest.mark.parametrize("device", [0, "cuda", torch.device("cuda", 0)])
def test_a_module_moves_and_keeps_its_parameters(device):
    model = nn.Linear(2, 2)
    weight = model.weight
    assert model.to(device) is model
    assert model.weight is weight
    assert weight.data.cuda().data_ptr() == weight.data_ptr()  # it is there
    copy.deepcopy(model).cuda()


def test_files_are_loaded_onto_cuda():
    for location in (0, "cuda:0", torch.device("cuda"), {"cpu": "cuda:0"}):
        file = io.BytesIO()
        torch.save(torch.zeros(2), file)
        file.seek(0)
        assert torch.load(file, map_location=location).tolist() == [0, 0]


def test_the_default_device_and_a_block_with_one():
    with torch.device("cuda"):
        assert place_of(nn.Linear(2, 2).weight).type == "cpu"
        assert torch.tensor([1]).is_cuda
    torch.set_default_device("cuda")
    try:
        assert torch.zeros(1).device.type == "cuda"
    finally:
        torch.set_default_device(None)


def test_types_are_of_tensors_on_cuda():
    assert isinstance(torch.zeros(2).cuda(), torch.cuda.FloatTensor)
    assert not isinstance(torch.zeros(2), torch.cuda.FloatTensor)
    assert isinstance(torch.Generator("cuda"), torch.Generator)


def test_the_script_is_answered_as_on_a_gpu_where_its_tensors_are():
    here, there = torch.zeros(2), torch.zeros(2).cuda()
    weight = nn.Linear(2, 2).cuda().weight
    on_cpu = nn.Linear(2, 2)
    for tensor in (there, there[0], weight, weight.sum() * 2, there.clone(), here.to(there)):
        assert tensor.is_cuda
        assert tensor.device == torch.device("cuda:0")
        assert tensor.get_device() == 0
    for tensor in (here, there.cpu(), on_cpu.weight, on_cpu(here), torch.from_numpy(here.numpy())):
        assert not tensor.is_cuda
        assert tensor.device.type == "cpu"
        assert tensor.get_device() == -1
    assert weight.sum().type() == "torch.cuda.FloatTensor"
    assert here.type() == "torch.FloatTensor"
    assert torch.zeros(2, device=there.device).is_cuda


def test_a_device_is_one_by_its_number_and_can_be_copied():
    device = torch.device(1)
    assert device == torch.device("cuda", 1)
    assert isinstance(device, torch.device)
    assert pickle.loads(pickle.dumps(device)) == copy.deepcopy(device) == device
    file = io.BytesIO()
    torch.save({"device": device}, file)
    file.seek(0)
    assert torch.load(file) == {"device": device}


def test_storages_are_made_on_the_cpu():
    assert torch.UntypedStorage(4, device="cuda").nbytes() == 4
    assert torch.UntypedStorage(4).cuda().nbytes() == 4


def test_everything_is_as_before_when_it_is_left():
    def names():
        owners = torch, torch.Tensor, torch.cuda, torch.cuda.memory, torch.UntypedStorage, nn.Module
        return [{name: getattr(owner, name) for name in dir(owner)} for owner in owners]

    found, before = CudaOnCpu(), names()
    with found.entered():
        assert torch.cuda.is_available()
    for then, now in zip(before, names(), strict=True):
        assert [name for name in then if then[name] is not now[name] != then[name]] == []
    assert torch.UntypedStorage(4).nbytes() == 4


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_torchscript_finds_the_factories():
    compiled = torch.jit.script(padded)
    assert compiled(torch.ones(2).cuda()).tolist() == [2, 2, 2]
