"""Limits of one target: time and memory."""

import time


class Limits:
    """Seconds and GiB that a target may take; either may be None: no limit."""

    def __init__(self, seconds: float | None = None, gib: float | None = None) -> None:
        self._seconds, self._gib = seconds, gib
        self._began = time.monotonic()

    def exceeded(self, memory: int) -> str:
        """Return which limit a process with this memory exceeds; empty if it exceeds no limit."""
        if self._seconds is not None and time.monotonic() - self._began > self._seconds:
            return f"within {self._seconds:g} seconds (--time-limit)"
        if self._gib is not None and memory > self._gib * 2**30:
            return f"within {self._gib:g} GiB (--memory)"
        return ""
