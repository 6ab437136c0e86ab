"""Write reports/accumulation.md and reports/packing.md: each head of transformers that reads text.

What was measured stands in lines of JSON beside them; a study that was interrupted goes on there.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tests.studies.heads.report import COMMAND, STUDIES, read, render


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--only", metavar="TEXT", default="", help="heads whose names contain TEXT")
    parser.add_argument("--render", action="store_true", help="measure nothing, write the report")
    parser.add_argument("--output", type=Path, default=Path("reports"), metavar="DIR")
    given = parser.parse_args()
    file = given.output / f"{given.study}.jsonl"
    if not given.render:
        measure(given.study, file, given.only)
    render(given.study, read(file)).write(given.output)
    return 0


def measure(study: str, file: Path, only: str = "") -> None:
    """Append the rows that are not there."""
    import torch
    import transformers

    from tests.studies.heads import accumulation, packing
    from tests.studies.heads.heads import heads

    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    row_of = {"accumulation": accumulation.row_of, "packing": packing.row_of}[study]
    tasks = {"packing": ("CAUSAL_LM",)}.get(study)
    known = {row["head"] for row in read(file)}
    versions = {"transformers": transformers.__version__, "torch": torch.__version__}
    with file.open("a", encoding="utf-8") as lines:
        for head in heads(tasks):
            if head.name not in known and only in head.name:
                row = {**row_of(head), "versions": versions}
                print(json.dumps(row), flush=True)
                lines.write(json.dumps(row) + "\n")
                lines.flush()


if __name__ == "__main__":
    raise SystemExit(main())
