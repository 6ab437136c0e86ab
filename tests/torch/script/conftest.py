"""A folder with a script, which is the working directory."""

from __future__ import annotations

import pytest

from tests.torch.script import scripts


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(scripts.PLAIN)
    (tmp_path / "network.py").write_text(scripts.NETWORK)
    return tmp_path
