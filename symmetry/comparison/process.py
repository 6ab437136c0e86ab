"""The other end of a worker's pipes."""

from __future__ import annotations

import pickle
import subprocess
import tempfile
from contextlib import suppress
from typing import Any

from symmetry.comparison.subject import Subject
from symmetry.comparison.task import Task
from symmetry.comparison.worker import Order
from symmetry.errors import SymmetryError
from symmetry.processes import command, ending


class SubjectError(SymmetryError):
    """A trainer cannot be imported, raised, or its process died: one line, with its name."""

    def __init__(self, subject: Subject, message: str) -> None:
        """Put the trainer's name in front of a message that may begin with it already."""
        self.name = subject.name
        self.reason = message.removeprefix(f"{subject.trainer!r}: ")
        super().__init__(f"trainer {subject.name!r}: {self.reason}")


class Process:
    """A worker. It is in a session of its own, so that a Ctrl-C comes to us alone."""

    def __init__(self, subject: Subject, threads: int | None) -> None:
        self._subject = subject
        self._cores = (subject.threads or threads) if subject.trainer == "jax" else None
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            command("symmetry.comparison.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=subject.environment(threads),
            start_new_session=True,
        )

    def begin(self, task: Task) -> None:
        """Send the task; the answer tells when everything is ready."""
        order: Order = (self._subject, task, self._cores)
        self._send(order)

    def ask(self, question: str) -> Any:
        """Send a question, wait for its answer, and return that."""
        self._send(question)
        return self.receive()

    def receive(self) -> Any:
        """Wait for an answer and return its value, or raise why the trainer failed."""
        assert self._process.stdout is not None
        try:
            value, error = pickle.load(self._process.stdout)
        except (EOFError, pickle.UnpicklingError) as error:
            raise self._death() from error
        if error is not None:
            raise SubjectError(self._subject, error)
        return value

    def _send(self, message: Any) -> None:
        assert self._process.stdin is not None
        try:
            pickle.dump(message, self._process.stdin, pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._death() from error

    def close(self) -> None:
        """End the process, in the middle of whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._complaints):
            assert file is not None
            with suppress(OSError):  # an unsent rest, for instance
                file.close()

    def _death(self) -> SubjectError:
        """Say how the process ended, and what it said last."""
        self._process.kill()  # it may have closed its pipes without ending
        status = self._process.wait()
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").split("\n")
        last = next((f": {line.strip()[:200]}" for line in reversed(lines) if line.strip()), "")
        return SubjectError(self._subject, f"its process ended ({ending(status)}){last}")
