"""Why an example of this study is accused: what a person found who looked into it."""

from __future__ import annotations

from tests.studies.survey.reasons import Reason

REASONS: dict[str, Reason] = {}
