"""Several runs of a script bind one port; one run binds it once."""

from __future__ import annotations

import socket

import pytest

from symmetry.sandbox.process_state import sharing


class Sockets:
    """The sockets of one run."""

    def __init__(self) -> None:
        self.bind = sharing(socket.socket.bind)

    def open(self, port: int = 0) -> socket.socket:
        """Return a socket that listens to a port."""
        found = socket.socket()
        try:
            self.bind(found, ("127.0.0.1", port))
        except OSError:
            found.close()
            raise
        found.listen()
        return found


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_two_runs_bind_one_port(port):
    with Sockets().open(port) as one, Sockets().open(port) as other:
        assert one.getsockname() == other.getsockname()


def test_one_run_binds_a_port_once_at_a_time(port):
    run = Sockets()
    with run.open(port), pytest.raises(OSError, match="in use"):
        run.open(port)
    run.open(port).close()


def test_a_port_of_somebody_else_is_in_use(port):
    with socket.socket() as own:
        own.bind(("127.0.0.1", port))
        own.listen()
        with pytest.raises(OSError, match="in use"):
            Sockets().open(port)
