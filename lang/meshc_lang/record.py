"""Dataclasses that cost little to make: what a command pays at every start for each class that it imports.

`dataclasses.dataclass` compiles half a dozen methods for each class, 0.6 ms of work for one of five fields, and a check
of one file imports 150 classes. Here all classes share their methods but for `__init__`, which is compiled when the
instances become more than a few. Slots are set by their descriptors, so making one takes two thirds of the time.
`dataclasses.fields`, `replace` and `is_dataclass` work, and either kind of class may inherit from the other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, field
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar, dataclass_transform

__all__ = ["dataclass", "field"]

T = TypeVar("T")

_Fields = dict[str, "Field[Any]"]
_Slots = tuple[dict[str, Any], dict[str, Callable[[Any, Any], None]]]

_FEW = 40
"""So many instances cost less to make one by one than an `__init__` to compile; a short run makes fewer of most."""


class _Params(NamedTuple):
    """What `dataclasses` asks of a base class."""

    frozen: bool
    eq: bool
    order: bool
    kw_only: bool
    slots: bool
    init: bool = True
    repr: bool = True
    unsafe_hash: bool = False
    match_args: bool = True
    weakref_slot: bool = False


@dataclass_transform(field_specifiers=(field, Field))
def dataclass(
    *, frozen: bool = False, slots: bool = False, kw_only: bool = False, eq: bool = True, order: bool = False
) -> Callable[[type[T]], type[T]]:
    """Make a dataclass, as `dataclasses.dataclass` with these arguments does."""

    def make(cls: type[T]) -> type[T]:
        return _process(cls, _Params(frozen, eq, order, kw_only, slots))

    return make


def _process(cls: type[T], params: _Params) -> type[T]:
    fields: _Fields = {}
    for base in cls.__mro__[-1:0:-1]:
        fields |= getattr(base, "__dataclass_fields__", {})
    space = dict(cls.__dict__)
    own = _own_fields(space, cls.__annotations__, params.kw_only)
    fields |= own
    every = fields.values()
    space["__dataclass_fields__"] = fields
    space["__dataclass_params__"] = params
    space.setdefault("__match_args__", tuple(one.name for one in every if one.init and not one.kw_only))
    space["__record_shown__"] = tuple(one.name for one in every if one.repr)
    space.setdefault("__repr__", _repr)
    if params.eq:
        space["__record_key__"] = _getter(tuple(one.name for one in every if one.compare))
        explicit_hash = space.get("__hash__") is not None
        space.setdefault("__eq__", _eq)
        if not explicit_hash:
            space["__hash__"] = _hash if params.frozen else None
    if params.order:
        space |= {"__lt__": _lt, "__le__": _le, "__gt__": _gt, "__ge__": _ge}
    if params.frozen:
        space |= {"__setattr__": _refuse_setting, "__delattr__": _refuse_deleting}
    if params.slots:
        inherited = {name for base in cls.__mro__[1:-1] for name in base.__dict__.get("__slots__", ())}
        space["__slots__"] = tuple(name for name in fields if name not in inherited)
        for name in own:
            space.pop(name, None)
        if params.frozen:
            space |= {"__getstate__": _get_state, "__setstate__": _set_state}

    slots: _Slots | None = None
    plain = all(one.init and one.default_factory is MISSING for one in every) and not hasattr(cls, "__post_init__")
    left = _FEW if params.slots and plain else 0
    places: tuple[str, ...] = space["__match_args__"] if left else ()

    def __init__(self: Any, *values: Any, **named: Any) -> None:  # noqa: N807
        nonlocal left, slots
        if left and len(values) <= len(places):
            left -= 1
            slots = slots or _slots(made)
            defaults, setters = slots
            given = defaults | dict(zip(places, values, strict=False)) | named
            if given.keys() == setters.keys() and named.keys().isdisjoint(places[: len(values)]):
                for name, store in setters.items():
                    store(self, given[name])
                return
        init = _compile_init(made, params)
        setattr(made, "__init__", init)  # noqa: B010 -- mypy takes the plain form for a mistake
        init(self, *values, **named)

    if "__init__" not in space:
        __init__.__qualname__ = f"{cls.__qualname__}.__init__"
        space["__init__"] = __init__
    # Made anew in either case: slots can't be added to a class that is there.
    space.pop("__dict__", None)
    space.pop("__weakref__", None)
    space["__qualname__"] = cls.__qualname__
    remake: Any = type(cls)
    made: type[T] = remake(cls.__name__, cls.__bases__, space)
    return made


def _slots(cls: type) -> _Slots:
    """Return the defaults of a class's fields, and what stores each."""
    fields: _Fields = cls.__dataclass_fields__  # type: ignore[attr-defined]
    defaults = {name: one.default for name, one in fields.items() if one.default is not MISSING}
    return defaults, {name: _setter(cls, name) for name in fields}


def _setter(cls: type, name: str) -> Callable[[Any, Any], None]:
    slot: Any = getattr(cls, name, None)
    if hasattr(slot, "__set__"):
        store: Callable[[Any, Any], None] = slot.__set__
        return store
    return lambda self, value: object.__setattr__(self, name, value)


def _own_fields(space: dict[str, Any], annotations: dict[str, str], kw_only: bool) -> _Fields:
    """Return the fields that the body of a class declares; annotations are strings here, as everywhere in meshc."""
    own: _Fields = {}
    for name, annotation in annotations.items():
        if annotation.startswith(("ClassVar", "typing.ClassVar")):
            continue
        given = space.get(name, MISSING)
        if isinstance(given, Field):
            one = given
            if one.default is MISSING:
                space.pop(name)
            else:
                space[name] = one.default
        else:
            one = field() if given is MISSING else field(default=given)
        one.name, one.type = name, annotation
        one._field_type = dataclasses._FIELD  # type: ignore[attr-defined]  # what `dataclasses.fields` looks for
        if one.kw_only is MISSING:
            one.kw_only = kw_only
        own[name] = one
    return own


def _compile_init(cls: type, params: _Params) -> Callable[..., None]:
    fields = [one for one in cls.__dataclass_fields__.values() if one.init]  # type: ignore[attr-defined]
    names: dict[str, Any] = {"_store": object.__setattr__}
    parameters = ["self"]
    body = []
    for one in sorted(fields, key=lambda one: bool(one.kw_only)):
        name = one.name
        if one.kw_only and "*" not in parameters:
            parameters.append("*")
        value = name
        if one.default_factory is not MISSING:
            names |= {f"_make_{name}": one.default_factory, "_missing": MISSING}
            value = f"_make_{name}() if {name} is _missing else {name}"
            parameters.append(f"{name}=_missing")
        elif one.default is not MISSING:
            names[f"_default_{name}"] = one.default
            parameters.append(f"{name}=_default_{name}")
        else:
            parameters.append(name)
        slot: Any = getattr(cls, name, None)
        if not params.frozen:
            body.append(f"self.{name} = {value}")
        elif params.slots and hasattr(slot, "__set__"):
            names[f"_set_{name}"] = slot.__set__
            body.append(f"_set_{name}(self, {value})")
        else:
            body.append(f"_store(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    source = f"def __init__({', '.join(parameters)}):\n " + "\n ".join(body or ["pass"])
    exec(source, names)  # noqa: S102 -- only names of fields are in the text
    init: Callable[..., None] = names["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__annotations__ = {one.name: one.type for one in fields} | {"return": "None"}
    return init


def _getter(names: tuple[str, ...]) -> Callable[[Any], Any]:
    return attrgetter(*names) if names else staticmethod(lambda _: ())


def _repr(self: Any) -> str:
    shown = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.__record_shown__])
    return f"{self.__class__.__qualname__}({shown})"


def _eq(self: Any, other: Any) -> bool:
    same = other.__class__ is self.__class__
    return bool(self.__record_key__(self) == self.__record_key__(other)) if same else NotImplemented


def _hash(self: Any) -> int:
    return hash(self.__record_key__(self))


def _lt(self: Any, other: Any) -> bool:
    same = other.__class__ is self.__class__
    return bool(self.__record_key__(self) < self.__record_key__(other)) if same else NotImplemented


def _le(self: Any, other: Any) -> bool:
    same = other.__class__ is self.__class__
    return bool(self.__record_key__(self) <= self.__record_key__(other)) if same else NotImplemented


def _gt(self: Any, other: Any) -> bool:
    same = other.__class__ is self.__class__
    return bool(self.__record_key__(self) > self.__record_key__(other)) if same else NotImplemented


def _ge(self: Any, other: Any) -> bool:
    same = other.__class__ is self.__class__
    return bool(self.__record_key__(self) >= self.__record_key__(other)) if same else NotImplemented


def _refuse_setting(self: Any, name: str, value: Any) -> None:
    del value
    raise FrozenInstanceError(f"cannot assign to field {name!r} of {self.__class__.__name__}")


def _refuse_deleting(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r} of {self.__class__.__name__}")


def _get_state(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in self.__dataclass_fields__])


def _set_state(self: Any, state: tuple[Any, ...]) -> None:
    for name, value in zip(self.__dataclass_fields__, state, strict=True):
        object.__setattr__(self, name, value)
