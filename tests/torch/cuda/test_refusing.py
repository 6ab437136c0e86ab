"""Failures on the CPU in place of CUDA: which of them a GPU would have, too."""

from __future__ import annotations

import pytest

from symmetry.base.errors import Failure
from symmetry.torch.cuda.refusing import is_of_the_driver, why_of_devices

MISTAKES = [
    ("IndexError", "raises IndexError: list index out of range", "print(log[epoch])"),
    ("NameError", "raises NameError: name 'total' is not defined", "total += 1"),
    ("RuntimeError", "raises RuntimeError: mat1 and mat2 shapes cannot be multiplied", "model(x)"),
]
OF_DEVICES = [
    ("AssertionError", "raises AssertionError", "assert x.is_cuda", "x.is_cuda"),
    ("AttributeError", "raises AttributeError: 'SimpleNamespace' has no ...", "p.foo", "Simple"),
    ("ValueError", "raises ValueError: the loss is nan", "raise ValueError(text)", "its device"),
    ("KeyError", "raises KeyError: 'CPU in place of CUDA'", "table[name]", "CUDA"),
]


@pytest.mark.parametrize(("kind", "text", "line"), MISTAKES)
def test_a_mistake_is_one_on_each_device(kind, text, line):
    assert why_of_devices(Failure(kind, text, "train.py", 3), line) == ""


@pytest.mark.parametrize(("kind", "text", "line", "word"), OF_DEVICES)
def test_a_failure_may_be_for_want_of_a_gpu(kind, text, line, word):
    why = why_of_devices(Failure(kind, text, "train.py", 3), line)
    assert why.startswith("train.py:3 raises ")
    assert word in why


def test_programs_of_the_driver_come_with_a_gpu():
    failure = Failure("FileNotFoundError", "raises FileNotFoundError: 'nvidia-smi'", "train.py", 3)
    assert is_of_the_driver(failure, "subprocess.run(query)")
