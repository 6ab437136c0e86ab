"""Where a verdict changes, against a look at all verdicts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.studies.bisection.search import Change, first_change

inner = st.lists(st.sampled_from(["old", "new", "other", None]), max_size=30)


@given(inner)
def test_a_release_with_the_old_verdict_lies_before_one_with_another(between):
    verdicts = ["old", *between, "new"]
    asked: list[int] = []

    def verdict(release):
        asked.append(int(release))
        return verdicts[int(release)]

    change = first_change([str(n) for n in range(len(verdicts))], verdict)
    assert change is not None
    assert verdicts[change.before] == "old"
    assert verdicts[change.after] not in ("old", None)
    assert all(verdicts[n] is None for n in change.between)
    assert change.between == tuple(range(change.before + 1, change.after))
    assert len(asked) == len(set(asked))


@given(st.integers(1, 200), st.integers(0, 200))
def test_few_releases_are_run(before, after):
    verdicts = [False] * before + [True] * (after + 1)
    asked: list[int] = []

    def verdict(release):
        asked.append(int(release))
        return verdicts[int(release)]

    found = first_change([str(n) for n in range(len(verdicts))], verdict)
    assert found == Change(before - 1, before, ())
    assert len(asked) <= 2 + len(verdicts).bit_length()


def test_nothing_else_is_run_if_both_ends_have_the_same_verdict():
    asked: list[str] = []
    assert first_change("abcde", lambda release: asked.append(release) or True) is None
    assert asked == ["a", "e"]
