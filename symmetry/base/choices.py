"""The choices of a command for the scripts that are named while it runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

AUTO, CPU, CUDA_ON_CPU = DEVICES = "auto", "cpu", "cuda-on-cpu"
Value = TypeVar("Value")


class Choice(Generic[Value]):
    """A value that scripts get when they are named."""

    def __init__(self, name: str, default: Value) -> None:
        self._value = ContextVar(name, default=default)

    def get(self) -> Value:
        """Return the value for scripts that are named now."""
        return self._value.get()

    @contextmanager
    def set(self, value: Value) -> Iterator[None]:
        """Choose a value for the scripts that are named while the block runs."""
        token = self._value.set(value)
        try:
            yield
        finally:
            self._value.reset(token)


DEVICE = Choice("device", AUTO)
RANKS = Choice("ranks", 1)
RESUMING: Choice[tuple[str, ...] | None] = Choice("resuming", None)  # the arguments
