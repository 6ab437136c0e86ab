"""The file of ``--baseline``: read before a check, and after it updated if that is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from symmetry.base.files import writable_files, write_all
from symmetry.checker.accepted import obsolete, others, read_accepted, to_text, updated
from symmetry.cli.screen import say
from symmetry.units.words import count


@dataclass(frozen=True)
class BaselineFile:
    """A file of accepted failures, if there is one, and whether the check updates it."""

    file: Path | None
    update: bool

    def begin(self) -> None:
        """Refuse a file that cannot be used, before anything is checked."""
        if self.file is None:
            if self.update:
                raise click.UsageError("--update-baseline needs --baseline FILE.")
            return
        if self.update:
            writable_files(self.file)
            if not self.file.exists():
                write_all({self.file: ""})
        read_accepted(self.file)

    def end(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Update the file by the records of checks, or name what is obsolete in it."""
        if self.file is None:
            return
        before = read_accepted(self.file)
        for each in before:
            if each.is_over:
                what = f"{each.target}: {each.invariant}"
                say(f"{self.file}: {what} was accepted until {each.until}", err=True)
        if not self.update:
            for each in obsolete(before):
                say(f"{self.file}: {each.target} is not there any more", err=True)
            for each in others(before, records):
                text = f"{self.file} accepts another failure of {each.invariant}: {each.found}"
                say(text, err=True)
            return
        after = updated(before, records)
        write_all({self.file: to_text(after)})
        new, old = {*after} - {*before}, {*before} - {*after}
        narrowed = {each.name for each in old if not each.found} & {each.name for each in new}
        added, gone = (len({each for each in of if each.name not in narrowed}) for of in (new, old))
        also = f", {len(narrowed)} narrowed" if narrowed else ""
        say(f"wrote {self.file}: {count(added, 'failure')} added, {gone} removed{also}", err=True)
