"""Rows to domain values and back.

What the database has kept was validated on its way in, and is not validated again: a page of 50 messages is built in
the time pydantic takes for ten. A builder sets a value's fields directly, converting only the columns whose Python type
is not what the driver returns (enums, documents).
"""

from __future__ import annotations

import json
import types
import typing
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import repeat
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

from pydantic import BaseModel

from app.domain.documents import Document
from app.domain.values import Value

V = TypeVar("V", bound=Value)
V_co = TypeVar("V_co", bound=Value, covariant=True)


class Builder(Protocol[V_co]):
    """Makes a value from its columns, in the order of `columns`, and from fields that were not selected."""

    def __call__(self, cells: Iterable[Any], /, **known: Any) -> V_co: ...


def builder(model: type[V], without: tuple[str, ...] = ()) -> Builder[V]:
    """A builder of a model's values; the fields `without` a column are handed to it as `known`."""
    gather = gatherer(model, without)

    def build(cells: Iterable[Any], /, **known: Any) -> V:
        return trusted(model, gather(cells, known))

    return build


def gatherer(
    model: type[Value], without: tuple[str, ...] = ()
) -> Callable[[Iterable[Any], dict[str, Any]], dict[str, Any]]:
    """What puts a value's columns to the fields known beside them, in the dict it is handed: see `all_trusted`."""
    names = columns(model, without)
    convert = converters(model, names)

    def gather(cells: Iterable[Any], fields: dict[str, Any]) -> dict[str, Any]:
        fields.update(zip(names, cells, strict=False))  # a record may go on with columns that are not the value's
        for name, converter in convert:
            fields[name] = converter(fields[name])
        return fields

    return gather


def converters(model: type[Value], names: Iterable[str]) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """The columns whose Python type is not what the driver returns, and what makes it of that."""
    found = ((name, _converter(model.model_fields[name].annotation)) for name in names)
    return tuple((name, converter) for name, converter in found if converter is not None)


def trusted(model: type[V], fields: dict[str, Any]) -> V:
    """A value with these very fields, all of them, not validated again. It keeps the dict itself."""
    value = _new(model)
    put_fields(value, fields)
    put_fields_set(value, NOTHING_SET)
    put_extra(value, None)
    put_private(value, None)
    return value


def all_trusted(model: type[V], every: Sequence[dict[str, Any]]) -> list[V]:
    """`trusted` for many: the loops over their slots run inside the interpreter, in half the time of our own."""
    values = list(map(_new, repeat(model, len(every))))
    for put, contents in (
        (put_fields, every),
        (put_fields_set, repeat(NOTHING_SET)),
        (put_extra, repeat(None)),
        (put_private, repeat(None)),
    ):
        deque(map(put, values, contents), maxlen=0)
    return values


_new = object.__new__
# A value is four slots: its fields, and what pydantic expects beside them. Set by the slots themselves: pydantic's own
# __setattr__ refuses on a frozen value, and object's looks each name up. All four always, and written out wherever
# values are made: a function of their own would be a tenth of a page's objects.
put_fields = BaseModel.__dict__["__dict__"].__set__
put_fields_set = BaseModel.__dict__["__pydantic_fields_set__"].__set__
put_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
put_private = BaseModel.__dict__["__pydantic_private__"].__set__
NOTHING_SET: Final[frozenset[str]] = frozenset()


def columns(model: type[Value], without: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The columns a value is stored in, in the order of its fields."""
    return tuple(name for name in model.model_fields if name not in without)


def listed(model: type[Value], prefix: str = "", without: tuple[str, ...] = ()) -> str:
    """The columns as a select list; documents as text, which a `Document` parses when first looked into."""
    return ", ".join(
        f"{prefix}{name}::text" if _bare(model.model_fields[name].annotation) is Document else f"{prefix}{name}"
        for name in columns(model, without)
    )


def select(source: str, cells: str) -> str:
    """The statement that calls one of our functions. Both parts are literals of this package, never input."""
    return f"SELECT {cells} FROM {source}"  # noqa: S608 - see above


def as_json(value: Value, own: Mapping[str, Any] | None = None) -> str:
    """A value as the JSON of its table's row, for functions that store whole rows; `own` adds the store's columns."""
    return _dumped({**dict(value), **(own or {})})


def as_json_array(values: Iterable[tuple[Value, Mapping[str, Any]]]) -> str:
    """Several values as a JSON array of rows."""
    return "[" + ",".join(as_json(value, own) for value, own in values) + "]"


def _dumped(row: Mapping[str, Any]) -> str:
    return json.dumps(row, default=_plain, ensure_ascii=False)


def _plain(cell: Any) -> Any:
    match cell:
        case UUID():
            return str(cell)
        case datetime():
            return cell.isoformat()
        case Document():
            return cell.plain()
    raise TypeError(f"{type(cell).__name__} has no place in a row")


def _bare(annotation: Any) -> Any:
    """An annotation without Annotated, Optional and NewType."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif origin in (typing.Union, types.UnionType):
            annotation = next(part for part in typing.get_args(annotation) if part is not type(None))
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        else:
            return annotation


def _converter(annotation: Any) -> Callable[[Any], Any] | None:
    kind = _bare(annotation)
    if kind is Document:
        return Document.stored
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        members = {member.value: member for member in kind}
        return members.__getitem__
    return None
