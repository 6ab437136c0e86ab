"""Workers that search with other seeds, and share what they find through Hypothesis's database."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis.database import InMemoryExampleDatabase

from symmetry import parametrize_invariants
from symmetry.network.formulas import step as sound
from symmetry.testing.invariants import InvariantCheck
from tests.conftest import needs

pytest_plugins = "pytester"

KEY = b"symmetry tests/test_campaign.py:odd symmetry/w2-rows"
CAMPAIGN = """
import os
import time
from hypothesis.extra.redis import RedisExampleDatabase
from redis import Redis
from symmetry import parametrize_invariants
from symmetry.network.formulas import step as sound

worker = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
redis = Redis(unix_socket_path={socket!r})

def odd(x, y, w1, w2, lr):
    print(f"worker {{worker}} takes a step of {{w1.shape[1]}} units")
    w1, w2 = sound(x, y, w1, w2, lr)
    if w1.shape[1] == 97:
        w2[-1] *= 1.5
    return w1, w2

@parametrize_invariants(
    odd, only="symmetry/w2-rows", dtype="float32", seed=worker, examples=4 if worker else 60,
    database=RedisExampleDatabase(redis),
)
def test_odd(invariant_check):
    while worker and not redis.keys("hypothesis-example:*"):
        time.sleep(0.1)  # the other one finds it, with more cases
    invariant_check()
"""


def odd(x, y, w1, w2, lr):
    w1, w2 = sound(x, y, w1, w2, lr)
    if broken and w1.shape[1] == 97:
        w2[-1] *= 1.5
    return w1, w2


broken = True


def check_with(database: InMemoryExampleDatabase, examples: int) -> InvariantCheck:
    mark = parametrize_invariants(
        odd, only="symmetry/w2-rows", dtype="float32", examples=examples, database=database
    ).mark
    check = mark.args[1][0].values[0]
    assert isinstance(check, InvariantCheck)
    return check


def test_a_failure_is_kept_and_run_first_until_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    database = InMemoryExampleDatabase()
    database.save(KEY, b"no case")
    check_with(database, 4)()  # none of four cases has 97 units
    with pytest.raises(pytest.fail.Exception):
        check_with(database, 60)()
    (line,) = database.fetch(KEY)
    assert b'"h": 97' in line
    with pytest.raises(pytest.fail.Exception, match=re.escape(line.decode())):
        check_with(database, 4)()
    monkeypatch.setattr("tests.test_campaign.broken", False)
    check_with(database, 4)()
    assert list(database.fetch(KEY)) == []


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    """Start a Redis server that keeps nothing."""
    path = tmp_path / "redis"
    arguments = ("--port", "0", "--unixsocket", path, "--save", "")
    with subprocess.Popen(
        ["redis-server", *arguments], cwd=tmp_path, stdout=subprocess.DEVNULL
    ) as server:
        while not path.exists():
            time.sleep(0.05)
        yield path
        server.terminate()


@needs("redis")
@needs("redis-server")
def test_one_worker_runs_first_what_another_has_found(
    pytester: pytest.Pytester, socket: Path
) -> None:
    pytester.makepyfile(test_mine=CAMPAIGN.format(socket=str(socket)))
    result = pytester.runpytest_subprocess("--dist", "each", "--tx", "2*popen")
    result.assert_outcomes(failed=2)
    text = result.stdout.str()
    cases = re.findall(r"reproduce .*--case '(\{.*\})'", text)
    assert len(set(cases)) == 1  # under CI pytest prints each of the two failures twice
    assert '"h": 97' in cases[0]
    first = re.search(r"worker 1 takes a step of (\d+) units", text)
    assert first is not None
    assert first[1] == "97"
    assert "worker 0 takes a step of 97 units" in text
