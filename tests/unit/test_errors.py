"""The tree in the docstring is the tree of the classes."""

from __future__ import annotations

import inspect
import re

import pytest

from collector import errors
from collector.errors import CollectorError, UpstreamError

CLASSES = [
    cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, CollectorError)
]


def drawn_tree() -> dict[str, str | None]:
    """Each class of the docstring's tree with the one that it hangs from."""
    parents: dict[str, str | None] = {}
    branch: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^([│ ]*)(?:[├└]── )?([A-Z]\w+)\b", line)
        if match is None or not line.startswith("    "):
            continue
        depth = match.start(2)
        branch = [(d, name) for d, name in branch if d < depth]
        parents[match[2]] = branch[-1][1] if branch else None
        branch.append((depth, match[2]))
    return parents


def test_the_drawn_tree_is_the_tree_of_the_classes() -> None:
    real = {
        cls.__name__: None if cls is CollectorError else cls.__bases__[0].__name__
        for cls in CLASSES
    }
    assert drawn_tree() == real


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_says_what_it_means(cls: type[CollectorError]) -> None:
    assert cls.__doc__
    assert not cls.__doc__.isspace()


def test_every_kind_of_upstream_error_has_a_word_of_its_own() -> None:
    kinds = [cls.kind for cls in CLASSES if issubclass(cls, UpstreamError)]
    assert len(kinds) == len(set(kinds))


@pytest.mark.parametrize(
    ("cls", "retryable", "billed"),
    [
        (errors.Refused, False, False),
        (errors.BadRequest, False, False),
        (errors.Throttled, True, False),
        (errors.Unavailable, True, False),
        (errors.Unreachable, True, False),
        (errors.TimedOut, True, True),
        (errors.MalformedAnswer, True, True),
        (errors.TargetFailed, True, True),
        (errors.PageNotUnderstood, True, True),
        (errors.Blocked, True, True),
    ],
)
def test_what_is_retried_and_what_is_billed(
    cls: type[UpstreamError], retryable: bool, billed: bool
) -> None:
    error = cls("what happened, and what to do")
    assert (error.retryable, error.billed) == (retryable, billed)
    assert cls("…", billed=not billed).billed is not billed
