"""Which function may be meant, if a script does not train."""

from __future__ import annotations

from pathlib import Path

import pytest

from symmetry.targets.uncalled import meant_instead

UNCALLED = "; it calls none of its functions ({}): call one at its end"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("def make(n=3, *, m=4):\n    return 1, 2", "; did you mean 'a.py:make'?"),
        ("def make(n):\n    return 1, 2", UNCALLED.format("make")),
        ("def make(*, n):\n    return 1, 2", UNCALLED.format("make")),
        ("def main():\n    ...\ndef run():\n    main()", UNCALLED.format("main, run")),
        ("def main():\n    ...\nif __name__ == '__main__':\n    main()", ""),
        ("def main():\n    ...\nmain.callback()", ""),
        ("class Net:\n    ...\ndef _made():\n    return 1, 2", ""),
        ("def (", ""),
    ],
)
def test_a_function_may_be_meant(text: str, meant: str, tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(text)
    assert meant_instead("a.py", file) == meant
