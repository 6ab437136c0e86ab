"""The system calls that are asked about: their paths are read in another process's memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from symmetry.sandbox.confinement import seccomp


@pytest.mark.skipif(not seccomp.is_possible(), reason="this kernel has no seccomp")
def test_a_process_that_is_killed_in_its_call_has_no_path():
    """Nothing is read of its memory then, without an error: the supervisor waited for ever."""
    waiting = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    memory = Path(f"/proc/{waiting.pid}/mem")
    with waiting as process, memory.open("rb", buffering=0) as file:
        process.kill()
        process.wait()
        with pytest.raises(ProcessLookupError):
            seccomp._text(file.fileno(), 4096)
