"""Each number of README stands on a page of reports, or in the code that it describes."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from symmetry.base.errors import FAILED, FOUND, INTERRUPTED, OK
from symmetry.invariants.catalogue import catalogue
from symmetry.torch.script.epochs.log import UPDATES
from symmetry.training.response import THRESHOLDS
from tests.studies.public.page import accused, came
from tests.studies.public.targets import study
from tests.test_readme import README, ROOT

DEFAULT = sum(each.default for each in catalogue())
NUMBER = re.compile(
    r"(?<![\w.-])\d[\d,]*(?:\.\d+)*(?: million)?(?!\w)|\b(?:two|three|seven) (?=times|groups|tools)"
)
# Names, arguments and outputs; a test of its own compares the output of the example.
QUOTED = re.compile(r"```.*?```|^ {4}.*?$|`[^`\n]+`|\]\([^)]*\)", re.DOTALL | re.MULTILINE)


class Claim(NamedTuple):
    """Words of README with all of their numbers, and the words of a file that they come from."""

    words: str
    file: str
    proof: tuple[str, ...]


CLAIMS = (
    Claim("Python 3.11 or newer", "pyproject.toml", ('requires-python = ">=3.11"',)),
    Claim("PyTorch 2.6 or newer", "pyproject.toml", ('"torch>=2.6"',)),
    Claim(
        "stay below 10 in float32 and 50 in float64",
        "reports/response.md",
        (
            r"\| sound zoo \| float32 \|(?: [\d.]+ \|){5} 9\.4 \|",
            r"\| sound zoo \| float64 \|(?: [\d.]+ \|){5} 45 \|",
            r"\| sound, nearly broken \| float32 \|(?: [\d.]+ \|){5} 4 \|",
            r"\| sound, nearly broken \| float64 \|(?: [\d.]+ \|){5} 7\.9 \|",
        ),
    ),
    Claim(
        "models of other libraries below 27 and 400",
        "reports/response.md",
        (
            "In float32 the largest ratio of a sound training that is not accused is 26,",
            "In float64 the largest ratio of a sound training that is not accused is 390,",
        ),
    ),
    Claim(
        "the limits are 30 and 1,000",
        "reports/response.md",
        ("limit is 30 in float32 and 1000 in float64",),
    ),
    Claim(
        "The weakest fault has 43 in float32 and 11 million in float64",
        "reports/response.md",
        ("the least one by which a fault is caught is 43", r"is caught is 1\.1e\+07"),
    ),
    Claim(
        "a fault of 16 bits shows in float32 only",
        "reports/response.md",
        ("Many faults show in one precision only, as sums in 16 bits do in float32",),
    ),
    Claim("461 models of two libraries", "reports/survey.md", ("# 461 architectures",)),
    Claim("112 trainings by their trainers", "reports/trainers.md", ("# 112 trainings",)),
    Claim("66 examples of JAX", "reports/jax-examples.md", ("# 66 public examples",)),
    Claim(
        "784-200-10 network that way and compares all 200 hidden units, bit by bit,"
        " after each of 100 iterations",
        "reports/mnist.md",
        (
            r"\| network \| 784-200-10,",
            "full batch, 100 iterations",
            "200 hidden units whose",
        ),
    ),
    Claim(
        "the same bits on 8 configurations",
        "reports/portability.md",
        ("8 configurations came to the same bits, 0 to different bits",),
    ),
    Claim(
        "three times as fast as NumPy on MNIST, 0.6 to 1.3 times on dense data",
        "reports/performance.md",
        (
            r"the core is \*\*3\.1\*\* \(float32\) and \*\*2\.8\*\* \(float64\) times as fast as",
            r"not zero: 100, float32 \| 0\.97 \| 1\.13 \| 0\.6 \|",
            r"not zero: 100, float64 \| 1\.03 \| 1\.27 \| 0\.91 \|",
        ),
    ),
    Claim(
        "of 100 bugs put into them 38 were found, 34 of the 53 that this page promises",
        "reports/strangers-bugs.md",
        (r"38 of 100 were found, and 34 of the 53",),
    ),
    Claim(
        "In PyTorch on an AMD EPYC, 200 such units fall into two groups after one step",
        "reports/frameworks.md",
        (
            "Measured on znver4",
            r"200 hidden units trained on MNIST",
            r"`torch` \|.*\| iteration 1 \|.*\| even units",
        ),
    ),
)


def plain(text: str) -> str:
    """Return a text with single spaces, and without addresses, code and quoted output."""
    return " ".join(QUOTED.sub(lambda m: "]" * (m[0][0] == "]"), text).split()).translate(
        str.maketrans("", "", "[]")
    )


def computed() -> dict[str, tuple[object, ...]]:
    """Return words of README whose numbers are those of today's code or rows."""
    strangers = study("strangers")
    answers, violations = came(strangers), came(strangers, "violation,")
    kinds = [kind for name in ("survey", "trainers", "jax-examples") for kind in accused(name)]
    return {
        "about {} invariants that correct trainings obey": (round(DEFAULT, -1),),
        "A bug that first acts after {} updates": (UPDATES,),
        "| exit status | meaning | |---|---| | {} | nothing is wrong": (OK,),
        "| {} | an invariant is violated": (FOUND,),
        "| {} | nothing is proved": (FAILED,),
        "| {} | interrupted": (INTERRUPTED,),
        "the limits are {:,.0f} and {:,.0f}": (
            THRESHOLDS["float32"],
            THRESHOLDS["float64"],
        ),
        "By 2 December 2026, {} public scripts were checked for the first time: {} answers were"
        " right ({} of {} that named a violation), {} false, {} of no use, and {} scripts were not"
        " checked": (
            *(answers.total(), answers["true"], violations["true"], violations.total()),
            *(answers["false"], answers["useless"], answers["unfair"]),
        ),
        "it accused {}: {} have bugs, {} are so by design of their architecture, and"
        " {} accusation was false": (
            len(kinds),
            *(kinds.count(word) for word in ("bug", "property", "weakness")),
        ),
    }


TEXT = plain(
    README.replace(README[README.index("## What it finds") : README.index("A *note*")], "")
)
WORDS = [
    *(claim.words for claim in CLAIMS),
    *(w.format(*n) for w, n in computed().items()),
]


@pytest.mark.parametrize("words", WORDS)
def test_readme_says_so(words):
    assert words in TEXT


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.words)
def test_a_page_says_what_readme_says(claim):
    text = " ".join((ROOT / claim.file).read_text("utf-8").split())
    assert [proof for proof in claim.proof if not re.search(proof, text)] == []


def test_no_number_is_without_its_source():
    rest = TEXT
    for words in WORDS:
        rest = rest.replace(words, " ")
    assert [rest[max(0, m.start() - 40) : m.end() + 20] for m in NUMBER.finditer(rest)] == []


def test_the_example_counts_all_checks():
    judged = int(re.search(r"1 problem \((\d+) checks\)", README)[1])
    holding, others = map(
        int, re.search(r"(\d+) checks hold\. (\d+) do not apply", README).groups()
    )
    accusing = re.search(r"found by  (.*)", README)[1].count(",") + 1
    assert (holding + accusing, judged + others) == (judged, DEFAULT)
