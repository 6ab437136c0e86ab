"""What a person found who looked into a row that is not the same, by its line."""

JUDGED: dict[str, str] = {}
