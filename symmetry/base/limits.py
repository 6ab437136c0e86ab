"""What one target may take: time and memory."""

import time


class Limits:
    """Seconds and GiB that a target may take; either may be None: no limit.

    Once one is exceeded nothing is limited any more: what is known is still to be reported.
    """

    def __init__(self, seconds: float | None = None, gib: float | None = None) -> None:
        self._seconds, self._gib = seconds, gib
        self._began = time.monotonic()
        self.over = False

    def exceeded(self, memory: int) -> str:
        """Say which limit is exceeded for the first time, by a process that holds so many bytes."""
        said = ""
        if self.over:
            return said
        if self._seconds is not None and time.monotonic() - self._began > self._seconds:
            said = f"the target took more than {self._seconds:g} seconds (--time-limit)"
        elif self._gib is not None and memory > self._gib * 2**30:
            said = f"the target took more than {self._gib:g} GiB (--memory)"
        self.over = bool(said)
        return said
