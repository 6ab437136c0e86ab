"""The sandbox of a script that trains with PyTorch."""

from __future__ import annotations

from contextlib import nullcontext

import torch

from symmetry.sandbox.source import Source
from symmetry.torch.script.contained import contained
from symmetry.torch.script.host import Host


def test_what_a_script_sets_in_pytorch_is_its_own(tmp_path):
    (file := tmp_path / "train.py").write_text(
        "import torch\ntorch.set_default_dtype(torch.float64)\ntorch.set_num_threads(1)\n"
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        host = Host(Source("train.py", file, folder=tmp_path))
        sandbox = contained(host, nullcontext)
        sandbox.resume()
        assert sandbox.stack.ended
        assert (torch.get_default_dtype(), torch.get_num_threads()) == (torch.float32, 2)
        sandbox.close(throwing=lambda: None, free=lambda: None)
        host.close()
    finally:
        torch.set_num_threads(threads)


def test_a_script_that_compiles_whole_graphs_compiles_in_parts(tmp_path, monkeypatch):
    """With our modes nothing is compiled, which would raise."""
    seen = []
    monkeypatch.setattr(torch, "compile", lambda *_, **options: seen.append(options))
    (file := tmp_path / "train.py").write_text(
        "import torch\ntorch.compile(print, backend='eager', fullgraph=True)\n"
    )
    host = Host(Source("train.py", file, folder=tmp_path))
    sandbox = contained(host, nullcontext)
    sandbox.resume()
    assert seen == [{"backend": "eager", "fullgraph": False}]
    sandbox.close(throwing=lambda: None, free=lambda: None)
    host.close()


def test_what_a_script_replaces_in_pytorch_is_its_own(tmp_path):
    (file := tmp_path / "train.py").write_text(
        "import torch\ntorch.set_default_device('meta')\n"
        "torch.nn.functional.cross_entropy = lambda *_: None\n"
    )
    before = torch.nn.functional.cross_entropy
    host = Host(Source("train.py", file, folder=tmp_path))
    for _ in range(2):
        sandbox = contained(host, nullcontext)
        sandbox.resume()
        assert sandbox.stack.ended
        assert torch.nn.functional.cross_entropy is before
        assert torch.zeros(1).device.type == "cpu"
        sandbox.close(throwing=lambda: None, free=lambda: None)
    host.close()
