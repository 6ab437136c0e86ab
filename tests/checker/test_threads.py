from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from symmetry.checker.threads import in_words, one_thread


def blas_threads():
    np.ones((2, 2)) @ np.ones((2, 2))
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_one_thread_within_and_as_before_afterwards():
    with threadpool_limits(limits=2):
        before = blas_threads()
        with one_thread():
            assert set(blas_threads()) == {1}
        assert blas_threads() == before
        with pytest.raises(ZeroDivisionError), one_thread():
            raise ZeroDivisionError
        assert blas_threads() == before


@pytest.mark.parametrize("before", [None, "3"])
def test_only_its_own_variable_is_as_before_afterwards(monkeypatch, before):
    monkeypatch.setenv("OF_A_TARGET", "old")
    if before is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", before)
    with one_thread():
        assert os.environ["OMP_NUM_THREADS"] == "1"
        os.environ["OF_A_TARGET"] = "new"
    assert os.environ.get("OMP_NUM_THREADS") == before
    assert os.environ["OF_A_TARGET"] == "new"


def test_torch_as_well_when_it_is_there():
    import torch

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_what_cannot_be_limited_is_said(monkeypatch):
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    assert in_words() == "one BLAS and OpenMP thread: with more, sums may be taken in another order"
    monkeypatch.setitem(sys.modules, "jax", None)
    assert in_words().endswith("JAX's own threads were started with it and cannot be limited")


@pytest.mark.slow
def test_a_library_that_is_loaded_within_has_one_thread():
    code = (
        "from symmetry.checker.threads import one_thread\n"
        "with one_thread():\n    import torch\n    print(torch.get_num_threads())"
    )
    variables = {**os.environ, "OMP_NUM_THREADS": "2"}
    out = subprocess.check_output([sys.executable, "-c", code], env=variables, text=True)
    assert out == "1\n"
