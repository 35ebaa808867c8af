"""Our dataclasses behave as those of the standard library do; only making them is cheaper."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshc_lang.record import dataclass, field

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Left out of comparisons by who holds it."""

    span: int = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named(Place):
    """Two fields, one inherited."""

    LIMIT: ClassVar[int] = 3

    text: str
    words: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OneOfTheirs(Named):
    """A class of the standard library above one of ours."""

    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OursAgain(OneOfTheirs):
    """And one of ours above it."""

    last: int


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Compared by its fields in order."""

    major: int
    minor: int = 0


@dataclass(slots=True)
class Counter:
    """May be changed."""

    seen: list[int] = field(default_factory=list)
    total: int = 0


@dataclass(frozen=True, slots=True)
class Boxed(Generic[T]):
    """Holds anything."""

    inside: T


@dataclass(frozen=True)
class Checked:
    """Looks at what it was given."""

    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError("below zero")


def pair(make: Callable[..., Callable[[type], type]], **arguments: bool) -> Any:
    """Make the same class with a decorator."""

    class Sample:
        """A class of which both kinds are made."""

        a: int
        b: str = "b"
        c: tuple[int, ...] = field(default=(), repr=False)
        d: int = field(default=0, compare=False)

    return make(**arguments)(Sample)


values = st.fixed_dictionaries(
    {"a": st.integers(0, 2)},
    optional={"b": st.sampled_from("bc"), "c": st.sampled_from([(), (1,)]), "d": st.integers(0, 1)},
)


@pytest.mark.parametrize("order", [False, True])
@pytest.mark.parametrize("kw_only", [False, True])
@pytest.mark.parametrize("slots", [False, True])
def test_they_print_compare_and_hash_as_the_standard_ones_do(slots: bool, kw_only: bool, order: bool) -> None:
    arguments = {"frozen": True, "slots": slots, "kw_only": kw_only, "order": order}
    ours, theirs = pair(dataclass, **arguments), pair(dataclasses.dataclass, **arguments)

    @given(one=values, other=values)
    def same(one: dict[str, Any], other: dict[str, Any]) -> None:
        a, b, x, y = ours(**one), ours(**other), theirs(**one), theirs(**other)
        assert repr(a) == repr(x)
        assert (a == b) == (x == y)
        assert a != x
        assert (hash(a) == hash(b)) >= (a == b)
        if order:
            assert (a < b, a <= b, a > b, a >= b) == (x < y, x <= y, x > y, x >= y)
        assert dataclasses.asdict(a) == dataclasses.asdict(x)

    same()
    assert ours.__match_args__ == theirs.__match_args__
    assert [one.name for one in dataclasses.fields(ours)] == [one.name for one in dataclasses.fields(theirs)]
    assert hasattr(ours(a=1), "__dict__") == hasattr(theirs(a=1), "__dict__")


def test_a_frozen_one_stays_as_it_is() -> None:
    name = Named(span=1, text="web")
    for attribute in ("text", "new"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(name, attribute, "x")
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(name, attribute)
    assert name == Named(span=2, text="web")
    assert dataclasses.replace(name, text="api") == Named(span=1, text="api")


def test_wrong_arguments_are_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(TypeError, match="text"):
            Named(span=1)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="unexpected"):
            Named(span=1, text="a", other=2)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="positional"):
            Named(1, "a")  # type: ignore[call-arg]


def test_the_two_kinds_inherit_from_each_other() -> None:
    last = OursAgain(span=1, text="a", last=5)
    assert (last.span, last.text, last.words, last.more, last.last) == (1, "a", (), 0, 5)
    assert repr(last).endswith("OursAgain(text='a', words=(), more=0, last=5)")
    assert not hasattr(last, "__dict__")
    assert [one.name for one in dataclasses.fields(last)] == ["span", "text", "words", "more", "last"]


def test_copies_and_pickles_are_equal() -> None:
    for one in (Named(span=1, text="a"), Version(1, 2), OursAgain(span=1, text="a", last=5)):
        assert copy.copy(one) == copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == one


def test_defaults_are_made_anew_and_fields_that_may_change_do() -> None:
    one, other = Counter(), Counter()
    one.seen.append(1)
    one.total = 5
    assert (other.seen, other.total) == ([], 0)
    assert Counter.__hash__ is None


def test_the_rest_of_what_a_class_may_say() -> None:
    assert Boxed[int](5) == Boxed(5)
    assert Named.LIMIT == 3
    with pytest.raises(ValueError, match="below zero"):
        Checked(-1)
    match Version(1, 2):
        case Version(major, minor):
            assert (major, minor) == (1, 2)
    assert sorted([Version(1, 2), Version(0, 9), Version(1)]) == [Version(0, 9), Version(1), Version(1, 2)]
