"""``python -m tests.studies.performance.finding --output reports``: what finding units costs.

It measures some architectures, and a GPT of growing size. Each training is a process of its own;
processor seconds on one thread, and its peak of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.environment import environment, environment_table

ROOT = Path(__file__).parents[3]
TOKENS = 16
GPT = {  # millions of parameters: width, layers, heads, vocabulary
    "0.1": (48, 3, 3, 300),
    "1": (128, 4, 4, 1500),
    "10": (320, 6, 5, 8000),
    "100": (768, 12, 12, 20000),
    "124": (768, 12, 12, 50257),
}
DEFAULT = ("mlp", "cnn", "gpt", "lstm", "resnet18", "0.1", "1", "10", "100")


def gpt(width: int, layers: int, heads: int, vocabulary: int) -> Callable[[], Any]:
    """Return a training of a language model on one sequence of ``TOKENS``."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    from tests.finding.models import Block, Model

    def forward(m: Any, tokens: Any) -> Any:
        x = m.wte(tokens) + m.wpe(torch.arange(tokens.shape[1]))
        for block in m.blocks:
            x = block(x)
        return m.head(m.norm(x))

    def training() -> Any:
        model = Model(
            forward,
            wte=nn.Embedding(vocabulary, width),
            wpe=nn.Embedding(TOKENS, width),
            blocks=nn.ModuleList(
                [Block(width, heads, 4 * width, causal=True) for _ in range(layers)]
            ),
            norm=nn.LayerNorm(width),
            head=nn.Linear(width, vocabulary, bias=False),
        )
        model.head.weight = model.wte.weight

        def step(i: int) -> None:
            generator = torch.Generator().manual_seed(i)
            tokens = torch.randint(0, vocabulary, (TOKENS + 1,), generator=generator)
            F.cross_entropy(model(tokens[None, :-1])[0], tokens[1:]).backward()

        return model, step

    return training


def resnet18() -> Any:
    """Return a training of torchvision's ResNet18 on four images of 32x32."""
    import torchvision

    from tests.finding.models import classify, normal

    return classify(torchvision.models.resnet18(num_classes=5), normal(4, 3, 32, 32), 5)


def measure(name: str) -> dict[str, float | str]:
    """Find the units of one training in this process."""
    import resource  # not on Windows

    import torch

    from symmetry import find_units
    from tests.finding import models

    torch.set_num_threads(1)
    training = gpt(*GPT[name]) if name in GPT else {"resnet18": resnet18}.get(name)
    training = training or getattr(models, name)
    parameters = sum(p.numel() for p in training()[0].parameters())
    began = time.process_time()
    coverage = find_units(training)
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "training": f"GPT, {name} million" if name in GPT else name,
        "parameters": parameters,
        "groups": len(coverage.groups),
        "seconds": time.process_time() - began,
        "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
    }


def main(arguments: list[str]) -> None:
    """Measure some trainings; print a table in Markdown, or write it."""
    parser = argparse.ArgumentParser(prog="python -m tests.studies.performance.finding")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, metavar="DIR", help="write performance-finding.md")
    parser.add_argument("names", nargs="*", default=DEFAULT, help="models, or millions for a GPT")
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(measure(options.names[0])))
        return
    rows = []
    for name in options.names:
        command = (sys.executable, "-m", "tests.studies.performance.finding", "--one", name)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    text = "\n".join(report(rows))
    if options.output is None:
        print(text)
    else:
        (options.output / "performance-finding.md").write_text(f"{text}\n")


def report(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines of the report."""
    return [
        "# What finding units costs",
        "",
        "Processor seconds on one thread, and the peak of the process's memory, PyTorch included.",
        f"A GPT sees one sequence of {TOKENS} tokens and ties its embedding to its head.",
        "",
        "| training | parameters | groups | processor seconds | peak memory |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {row['training']} | {row['parameters']:,} | {row['groups']} "
            f"| {row['seconds']:.1f} | {row['bytes'] / 2**30:.2f} GiB |"
            for row in rows
        ),
        "",
        "## Measured on",
        "",
        *environment_table(environment(torch=version("torch"), **busy())),
        "",
        "Repeat it with `python -m tests.studies.performance.finding --output reports`.",
    ]


def busy() -> dict[str, str]:
    """Return how busy the machine was, where the system tells: seconds grow with it."""
    return {"load average": f"{os.getloadavg()[0]:.2f}"} if hasattr(os, "getloadavg") else {}


if __name__ == "__main__":
    main(sys.argv[1:])
