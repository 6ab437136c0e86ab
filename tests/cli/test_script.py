"""Commands on a script: names, the tail behind ``--``, exit status, what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from symmetry.base.folders import TemporaryFolder
from tests.cli import inside
from tests.cli.process import INTERRUPTIBLE, assert_one_line, environment, is_alive, symmetry
from tests.conftest import slow
from tests.torch.script import scripts
from tests.torch.script.epochs.helpers import HEAD

GPU = """
import os, torch
torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
torch.distributed.init_process_group("nccl")
model = torch.compile(torch.nn.Linear(4, 2).cuda())
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for _ in range(8):
    optimizer.zero_grad()
    model(torch.randn(8, 4)).square().mean().backward()
    optimizer.step()
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "train.py").write_text(scripts.PLAIN)
    (tmp_path / "work" / "network.py").write_text(scripts.NETWORK)
    # Workers of a loader wait for ever where the path of a socket in it has over 100 letters.
    with tempfile.TemporaryDirectory() as temporary:
        (tmp_path / "temporary").symlink_to(temporary)
        yield tmp_path / "work"


def temporary_of(folder):
    """Return the folder of temporary files."""
    return (folder.parent / "temporary").resolve()


def process(folder, *arguments):
    """Run a command as a process of its own."""
    temporary = temporary_of(folder)
    finished = symmetry(*arguments, cwd=folder, TMPDIR=str(temporary))
    assert not [*temporary.glob("symmetry-*")]
    return finished


def run(folder, *arguments):
    """Run a command in this process, where PyTorch is imported already."""
    temporary = temporary_of(folder)
    with patch.object(tempfile, "tempdir", str(temporary)):
        finished = inside.symmetry(*arguments, cwd=folder)
    assert not [*temporary.glob("symmetry-*")]
    return finished


def test_a_check_without_cpu_seconds_left_proves_nothing(folder):
    done = run(folder, "check", "train.py", "--budget", "0.001", "--format", "json")
    assert done.status == 2
    why = "not reached within 0.001 CPU seconds"
    assert done.err == f"error: nothing was checked: {why}\n"
    found = json.loads(done.out)
    assert (found["verdict"], found["judged"]) == ("cannot-judge", [])
    assert found["exit_status"] == 2


def test_a_script_that_asks_for_cuda_says_how_it_ran(folder):
    (folder / "gpu.py").write_text(GPU)
    judged = ("gpu.py", "--only", "symmetry/repeatable", "--line", "found.json")
    done = run(folder, "check", *judged)
    assert done.out.splitlines()[:3] == [
        "gpu.py: sound (1 check), run on the CPU in place of CUDA, as one rank",
        "  mapped: nccl, .cuda",
        "  not tested: GPU kernels, torch.compile, several ranks (--ranks 2)",
    ]
    found = json.loads((folder / "found.json").read_text())["substitution"]
    assert found["in_place_of"] == "CUDA"
    assert found["mapped"] == ["nccl", ".cuda", "torch.compile"]


@pytest.mark.slow  # what README shows is a whole check, too
def test_a_sound_script_passes_and_leaves_nothing(folder):
    done = process(
        folder, "check", "--verbose", "train.py", "--line", "found.json", "--", "--epochs", "1"
    )
    assert done.status == 0, done
    assert done.out.splitlines()[0].startswith("train.py --epochs 1: ")
    assert "epoch 0" not in done.out + done.err
    found = json.loads((folder / "found.json").read_text())
    assert found["trainer"] == "train.py --epochs 1"
    judged = {r["name"] for r in found["results"] if r["verdict"] in ("holds", "rounding")}
    assert judged >= {
        "symmetry/repeatable",
        "symmetry/permutation",
        "symmetry/clones",
        "symmetry/samples",
        "training/resume",
        "training/zero-rate",
        "training/moves",
        "loss/inputs",
        "loop/modes",
    }
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["found.json", "network.py", "train.py"]


@pytest.mark.slow  # README's script is explained, too
def test_a_broken_script_is_violated_and_explained(folder):
    (folder / "package").mkdir()
    (folder / "train.py").rename(folder / "package" / "train.py")
    done = run(
        folder,
        "check",
        "--verbose",
        "-m",
        "package.train",
        "--only",
        "symmetry/clones",
        "--",
        "--bug",
    )
    assert done.status == 1, done
    line = 1 + scripts.PLAIN.splitlines().index(
        "                net.first.weight.grad[:-1] *= 2  # here"
    )
    assert "symmetry check -m package.train --only symmetry/clones -- --bug" in done.out
    assert "symmetry explain -m package.train -- --bug" in done.out
    assert f"package/train.py:{line}" in done.out


def test_units_of_a_script(folder):
    done = run(folder, "units", "train.py")
    assert done.status == 0, done
    assert "6  first units" in done.out


def test_an_error_from_the_depths_of_pytorch_ends_no_process(folder):
    (folder / "train.py").write_text(scripts.ADDS_NONE)
    done = run(folder, "units", "train.py")
    assert done.status == 0, done
    assert "4  layer 0 units" in done.out


@pytest.mark.slow
def test_units_of_a_module_are_explained_and_expected(folder):
    (folder / "package").mkdir()
    (folder / "train.py").rename(folder / "package" / "train.py")
    words = ("-m", "package.train")
    done = run(folder, "units", *words, "--json", "units.json", "--", "--epochs", "1")
    assert done.status == 0, done
    assert [g["units"] for g in json.loads((folder / "units.json").read_text())["groups"]] == [6]
    done = run(folder, "explain", *words, "--", "--epochs", "1")
    assert done.status == 0, done
    # Whether products round units apart is the processor's.
    assert "rounding of float64" in done.out or "all equal units stayed equal" in done.out
    pinned = ("--only", "training/units", "--expect-units", "first=7")
    done = run(folder, "check", "--verbose", *words, *pinned, "--", "--epochs", "1")
    assert done.status == 1, done
    assert "expected 7 equal units in first: it has 6 in first units" in done.out
    assert "training/units --expect-units first=7 --dtype float32 -- --epochs 1" in done.out


@pytest.mark.slow
def test_a_script_is_compared_with_what_it_was_and_with_a_function(folder):
    (folder / "function.py").write_text(scripts.FUNCTION)
    done = run(folder, "record", "train.py", "run.safetensors", "--", "--epochs", "1")
    assert done.status == 0, done
    others = ("train.py", "function.py:training", "train.py --epochs 1 --bug")
    done = run(folder, "compare", "run.safetensors", *others, "--json", "found.json")
    assert done.status == 1, done
    found = {o["name"]: o for o in json.loads((folder / "found.json").read_text())["others"]}
    assert [o["same"] for o in found.values()] == [True, True, False]
    first = found["train.py --epochs 1 --bug"]["first"]
    assert (first["phase"], first["step"]) == ("gradient", 1), first
    done = run(folder, "compare", "function.py:training", "train.py")
    assert done.status == 0, done


def test_only_a_script_has_a_tail(folder):
    assert_one_line(run(folder, "units", "numba", "--", "1"), "'numba' is no script")
    assert_one_line(run(folder, "check", "--", "1"), "name one before")
    assert_one_line(run(folder, "units", "trian.py"), "did you mean train.py?")


FAILS = """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
x, y = torch.randn(48, 6), torch.randint(3, (48,))
for epoch in range(3):
    for i in range(0, 48, 16):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[i : i + 16]), y[i : i + 16]).backward()
        optimizer.step()
    {}
"""


EXCUSED = HEAD + (
    "train()\n"
    "model.eval()  # symmetry: ignore[loop/modes] frozen from here on\n"
    "with torch.no_grad():\n"
    "    model(data[:][0])\n"
    "train()\n"
)


def test_a_line_is_excused_where_it_stands(folder):
    def checked(text):
        (folder / "train.py").write_text(text)
        return run(folder, "check", "train.py", "--only", "loop/modes")

    done = checked(EXCUSED)
    assert done.status == 0, done
    assert "sound but for 1 expected failure" in done.out
    moved = checked(f"import os\n{EXCUSED}")
    assert moved.status == 0, moved
    elsewhere = EXCUSED.replace("model.eval()  ", "model.eval()\n")
    mended = elsewhere.replace("model.eval()", "")
    assert checked(elsewhere).status == 1
    told = checked(mended)
    assert told.status == 0
    assert "train.py:22: symmetry: ignore[loop/modes] excuses nothing any more" in told.out
    assert_one_line(checked(EXCUSED.replace("frozen from here on", "")), "has no reason")


@pytest.mark.slow
def test_a_line_that_an_explanation_finds_is_excused(folder):
    text = scripts.PLAIN.replace("# here", "# symmetry: ignore[symmetry/clones] as meant")
    (folder / "train.py").write_text(text)
    done = run(folder, "check", "train.py", "--only", "symmetry/clones", "--", "--bug")
    assert done.status == 0, done


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("print('nothing')", "it ends, and makes no PyTorch module"),
        (
            FAILS.format("")
            .replace("for epoch", "def main():\n  for epoch")
            .replace("\n    ", "\n      ")
            + "import threading\nthread = threading.Thread(target=main)\n"
            "thread.start()\nthread.join()\n",
            "it trains nothing that a check can stop, but a thread trains (late.py:14)",
        ),
        (
            (
                "import argparse\np = argparse.ArgumentParser()\np.add_argument('data')\n"
                "p.parse_args()"
            ),
            "the following arguments are required: data; a script's arguments follow --",
        ),
        ("import sys\nopen(sys.argv[1])", "a script's arguments follow --"),
        ("input()", "it reads standard input, which is empty here"),
        (FAILS.replace("range(3)", "range(1)").format("break"), "it ends after 3 updates"),
    ],
)
def test_what_cannot_be_checked_is_no_failure(folder, text, why):
    (folder / "late.py").write_text(text)
    done = run(folder, "check", "late.py", "--only", "training/moves")
    assert_one_line(done, why)


def test_a_script_that_must_stay_on_its_gpu_is_no_failure(folder):
    (folder / "late.py").write_text("import torch\ntorch.nn.Linear(2, 2).cuda()")
    done = run(folder, "check", "late.py", "--device", "cpu")
    assert_one_line(done, "let it choose the device that there is")


def assert_an_error(folder, line, message, run, *more, status=1):
    text = scripts.PLAIN.replace("parser = ", f"{line}\nparser = ", 1)
    (folder / "train.py").write_text(text)
    done = run(folder, "check", "--verbose", "train.py", "--only", "training/moves", *more)
    assert done.status == status, done
    assert message in done.out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("raise ValueError('no')", "train.py raised ValueError: no"),
        slow("import sys; sys.exit(3)", "train.py: it exits with 3"),
    ],
)
def test_a_script_that_fails_is_an_error(folder, line, message):
    assert_an_error(folder, line, message, run)


def test_a_script_that_cannot_be_checked_need_not_be_wrong(folder):
    text = (
        "import torch\nw = torch.ones(3, requires_grad=True)\nfor _ in range(9):\n"
        "    w.square().sum().backward()\n    w = (w - w.grad).detach().requires_grad_()\n"
    )
    (folder / "raw.py").write_text(text)
    assert_one_line(run(folder, "check", "raw.py"), "its update by hand makes new tensors")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        slow("import os; os._exit(7)", "train.py: it exits with 7"),
        slow("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal SIGKILL"),
    ],
)
def test_a_script_that_ends_its_process_is_an_error(folder, line, message):
    assert_an_error(folder, line, message, process)


@pytest.mark.slow
def test_a_script_that_ends_its_process_only_in_a_check_is_no_error(folder):
    line = "import os, sys; 'symmetry.cli' in sys.modules and os._exit(7)"
    text = scripts.PLAIN.replace("parser = ", f"{line}\nparser = ", 1)
    (folder / "train.py").write_text(text)
    done = process(folder, "check", "train.py", "--only", "training/moves")
    assert_one_line(done, "it fails as it is checked, and not by itself: train.py: it exits with 7")


@pytest.mark.slow
def test_a_script_that_goes_on_is_not_finished(folder):
    line = "while True:\n    try:\n        1 / 0\n    except:\n        pass"
    message = "not finished within 2.5 seconds (--timeout)"
    assert_an_error(folder, line, message, process, "--timeout", 0.5, status=2)


@pytest.mark.slow
def test_a_file_beside_the_script_that_hides_pytorch_fails_by_itself(folder):
    (folder / "torch.py").write_text("raise RuntimeError('notes')")
    done = process(folder, "check", "train.py", "--only", "training/*", "--no-explain")
    assert done.status == 1, done
    assert "train.py fails: torch.py:1 raises RuntimeError: notes" in done.out


def test_a_missing_package_is_no_failure_of_the_training(folder):
    (folder / "train.py").write_text("import no_such_package.inside\n" + scripts.PLAIN)
    done = run(folder, "check", "train.py", "--only", "training/moves")
    assert_one_line(done, "no_such_package is not installed", "(train.py:1)")
    assert done.out == ""


@pytest.mark.slow
def test_what_it_printed_last_is_shown_with_an_error(folder, capfd):
    text = scripts.PLAIN.replace("optimizer.step()", "raise ValueError('no')", 1)
    text = text.replace("optimizer.zero_grad()", "print('about to fail'); optimizer.zero_grad()")
    (folder / "train.py").write_text(text)
    done = run(folder, "check", "--verbose", "train.py", "--only", "training/moves")
    assert done.status == 1, done
    assert "train.py raised ValueError: no (train.py:" in done.out
    assert capfd.readouterr().err.splitlines()[0] == "about to fail"


WAITS = """
import os, time
with open(os.environ["PIDS"], "a") as file:
    is_first = not file.tell()
    print(os.getpid(), file=file)
if is_first:
    time.sleep(1000)
"""


# Behind the last update of the plain run: that would wait, too.
WAIT = "if step == 7:\n        import waits\n    if step % 2:"
IN_A_STEP = scripts.ACCUMULATED.replace("if step % 2:", WAIT)
IN_AN_EPOCH = HEAD + (
    "for epoch in range(9):\n"
    "    train()\n"
    "    torch.save(model.state_dict(), 'model.pt')\n"
    "    open('log.txt', 'w').write('its')\n"
    "    if epoch == 3:\n"
    "        import waits\n"
)
ENDINGS = [(IN_A_STEP, "training/moves"), slow(IN_AN_EPOCH, "loop/modes")]


@contextmanager
def waiting(folder, text, law, *options):
    """Begin a check of a script that waits; yield both processes."""
    (folder / "train.py").write_text(text)
    (folder / "log.txt").write_text("mine")
    (folder / "waits.py").write_text(WAITS)
    temporary = temporary_of(folder)
    pids = temporary / "pids"
    words = "--verbose", "--only", law, "--writable", str(temporary), *options
    process = subprocess.Popen(
        [*INTERRUPTIBLE, "check", "train.py", *words],
        cwd=folder,
        env=environment(TMPDIR=str(temporary), PIDS=str(pids)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not (pids.exists() and pids.read_text().endswith("\n")):
        time.sleep(0.05)
    yield process, int(pids.read_text())
    process.communicate()
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["log.txt", "network.py", "train.py", "waits.py"]
    assert (folder / "log.txt").read_text() == "mine"


@pytest.mark.slow
@pytest.mark.parametrize(("text", "law"), ENDINGS)
def test_an_interrupted_check_leaves_nothing(folder, text, law):
    with waiting(folder, text, law) as (process, child):
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
        assert process.returncode == 130
        assert err.splitlines()[-1] == "interrupted"
        assert not is_alive(child)
        assert not [*temporary_of(folder).glob("symmetry-*")]


@pytest.mark.parametrize(("text", "law"), ENDINGS)
def test_after_a_kill_the_child_ends_and_the_next_run_removes_its_folder(
    folder, monkeypatch, text, law
):
    temporary = temporary_of(folder)
    with waiting(folder, text, law) as (process, child):
        process.kill()
        process.communicate()
        until = time.monotonic() + 60
        while is_alive(child) and time.monotonic() < until:
            time.sleep(0.05)
        assert not is_alive(child)
    (left,) = temporary.glob("symmetry-*")
    os.utime(left, (0, 0))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with TemporaryFolder():
        assert not left.exists()


@pytest.mark.slow
def test_a_kill_of_the_child_in_an_epoch_is_no_verdict_on_it(folder):
    with waiting(folder, IN_AN_EPOCH, "loop/modes") as (process, child):
        os.kill(child, signal.SIGKILL)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 2  # a plain run is not killed
        assert "SIGKILL" in out + err
    assert not [*temporary_of(folder).glob("symmetry-*")]


@pytest.mark.slow
def test_a_hang_in_an_epoch_is_stopped(folder):
    with waiting(folder, IN_AN_EPOCH, "loop/modes", "--timeout", "6") as (process, child):
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 2
        assert "loop/modes" in out
        assert "not finished within 30 seconds (--timeout)" in out
        assert not is_alive(child)
    assert not [*temporary_of(folder).glob("symmetry-*")]


FORKS = """
if not os.fork():
    os.setsid()
    import waits
"""


@pytest.mark.slow
def test_processes_that_a_script_starts_end_with_it(folder, monkeypatch):
    (folder / "train.py").write_text("import os\n" + FORKS + scripts.ACCUMULATED)
    (folder / "waits.py").write_text(WAITS)
    pids = temporary_of(folder) / "pids"
    monkeypatch.setenv("PIDS", str(pids))
    words = "--verbose", "--only", "symmetry/repeatable", "--writable", str(pids.parent)
    done = process(folder, "check", "train.py", *words)
    assert done.status == 0, done
    assert not any(map(is_alive, map(int, pids.read_text().split())))


@pytest.mark.slow
def test_a_script_that_begins_only_once_in_a_process_is_not_accused(folder, monkeypatch):
    import torch

    monkeypatch.setattr(torch, "begun_by_a_script", True, raising=False)
    monkeypatch.delattr(torch, "begun_by_a_script")
    (folder / "train.py").write_text(scripts.ONCE)
    done = run(folder, "check", "train.py")
    assert_one_line(
        done,
        "it fails as it is checked, and not by itself: train.py raised RuntimeError: it has begun "
        "already (train.py:17)",
    )
