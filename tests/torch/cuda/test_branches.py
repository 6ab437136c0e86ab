"""Branches for a GPU, which no run on a CPU takes."""

from __future__ import annotations

import pytest

from symmetry.torch.cuda.branches import has_branches

CHOICES = [
    'device = "cuda" if torch.cuda.is_available() else "cpu"',
    'device = torch.device(f"cuda:{args.gpu}" if torch.cuda.is_available() else "cpu")',
    'device = torch.device("cuda") if torch.cuda.is_available() else torch.device("cpu")',
    "if torch.cuda.is_available():\n    torch.cuda.manual_seed_all(0)",
    "if torch.cuda.is_available():\n    model = model.cuda()\nelse:\n    device = 'cpu'",
    "use_cuda = torch.cuda.is_available()\nif use_cuda:\n    x, y = x.cuda(), y.cuda()",
    "pin = torch.cuda.is_available()\nloader = DataLoader(data, pin_memory=pin)",
    "if torch.cuda.is_available():\n    torch.backends.cudnn.benchmark = True",
    "",
]
BRANCHES = [
    'use_amp = device.type == "cuda"\nscaler = GradScaler(enabled=use_amp)',
    "if torch.cuda.is_available():\n    model = nn.DataParallel(model)",
    "args.half = torch.cuda.is_available()\nif args.half:\n    model = model.half()",
    'dtype = torch.bfloat16 if device == "cuda" else torch.float32',
    "if x.is_cuda:\n    loss = loss / 2",
    "optimizer = AdamW(parameters, fused='cuda' in device)",
]


@pytest.mark.parametrize("text", CHOICES)
def test_the_choice_of_a_device_is_no_branch(text, tmp_path):
    file = tmp_path / "train.py"
    file.write_text(text)
    assert not has_branches(str(file))


@pytest.mark.parametrize("text", BRANCHES)
def test_branches(text, tmp_path):
    file = tmp_path / "train.py"
    file.write_text(text)
    assert has_branches(str(file))


def test_what_is_no_script_has_none(tmp_path):
    assert not has_branches(str(tmp_path / "missing.py"))
