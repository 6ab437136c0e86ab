"""Ports that several runs of a script bind at a time, as those of a server for metrics.

A suspended run holds its port, and so does the plain witness. On Linux and BSD sockets of one user
may share a port, if each of them says so before it is bound.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary


def sharing(bind: Callable[..., None]) -> Callable[..., None]:
    """Return a ``bind`` that lets other runs bind the same port; in one run it is refused twice."""
    bound: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

    @wraps(bind)
    def bind_shared(own: Any, address: Any) -> None:
        port = address[1] if isinstance(address, tuple) and len(address) > 1 else 0
        taken = any(other.fileno() >= 0 and port == there for other, there in bound.items())
        if port and not taken and hasattr(socket, "SO_REUSEPORT"):
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bind(own, address)
        if port:
            bound[own] = port

    return bind_shared
