"""A script as a command line names it."""

from __future__ import annotations

import pytest

from symmetry.sandbox.source import Source


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("parser.add_argument('--resume_from')", "--resume_from"),
        ("parser.add_argument('--load-weights'), parser.add_argument('--resume')", "--resume"),
        (
            "parser.add_argument('--load_model'), parser.add_argument('--continue-train')",
            "--continue-train",
        ),
        ("parser.add_argument('--checkpoint', type=int), parser.add_argument('--checkpoints')", ""),
        ("parser.add_argument('--download'), parser.add_argument('--loader-workers')", ""),
        ("parser.add_argument('--rate', help='see --resume for more')", ""),
        ("# --resume", ""),
    ],
)
def test_an_option_that_looks_like_resuming(tmp_path, text, option):
    file = tmp_path / "train.py"
    file.write_text(text)
    assert Source("train.py", file).resume_option == option


def test_a_module_is_not_read():
    assert Source("-m train", "train").resume_option == ""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = 1\nwords = list(set(x))", 2),
        ("words = {w for w in text}", 1),
        ("known = {'a', 'b'}", 1),
        ("n = hash(word)", 1),
        ("numbers = {'a': 1}\nmodel.set(1)", 0),
        ("letters = sorted(set(text))\nn = len({*text})", 0),
        ("letters = sorted(set(text), key=len)", 1),  # others of one length stay in their order
        ("if word in {'a', 'b'}:\n    words = [*set(text)]", 2),
        ("for word in set(text):\n    pass", 1),
        ("first = hash(a) < hash(b)", 1),
    ],
)
def test_the_first_line_that_makes_a_set(tmp_path, text, line):
    (tmp_path / "train.py").write_text(text)
    assert Source("train.py", tmp_path / "train.py").sets_at == line
