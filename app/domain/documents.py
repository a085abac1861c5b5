"""JSON objects as values: metadata, settings, preferences."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, final

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from .text import storable

MAX_BYTES = 65_536
"""A document's JSON text in UTF-8."""
MAX_DEPTH = 32
_INT64 = range(-(2**63), 2**63)
_EXACT_FLOAT = 2.0**53


@final
class Document(Mapping[str, Any]):
    """An immutable JSON object.

    Holds its JSON text and parses it when first looked into: most pages of messages are read without anyone opening
    their metadata. Nested objects come out as read-only mappings, arrays as tuples, so that a value handed out can be
    kept by everyone. Equal to any mapping with the same content.

    Refused on the way in, because PostgreSQL's jsonb or a JSON reader would refuse or change it: NaN and infinities,
    integers beyond 64 bits, floats of 2**53 and more, NUL and lone surrogates in texts, keys that are not text.
    """

    __slots__ = ("_text", "_value")
    _text: str
    _value: Mapping[str, Any] | None

    def __init__(self, content: Mapping[str, Any] | None = None) -> None:
        """Raises `ValueError` naming the path to what cannot be stored."""
        value = _plain(content or {}, "", 0)
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        if len(text.encode()) > MAX_BYTES:
            raise ValueError(f"must be at most {MAX_BYTES} bytes of JSON")
        object.__setattr__(self, "_text", text)
        object.__setattr__(self, "_value", _frozen(value))

    @classmethod
    def stored(cls, text: str) -> Document:
        """A document from JSON text that a store has kept: trusted, parsed when first looked into."""
        if text == "{}":
            return EMPTY
        document = object.__new__(cls)
        object.__setattr__(document, "_text", text)
        object.__setattr__(document, "_value", None)
        return document

    @property
    def text(self) -> str:
        """The document as JSON text."""
        return self._text

    def _content(self) -> Mapping[str, Any]:
        if self._value is None:
            object.__setattr__(self, "_value", _frozen(json.loads(self._text)))
        return self._value  # type: ignore[return-value]  # set in the line above

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Document does not change; build a new one")

    def __getitem__(self, key: str) -> Any:
        return self._content()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content())

    def __len__(self) -> int:
        return len(self._content())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Document):
            return self._text == other._text or self._content() == other._content()
        if isinstance(other, Mapping):
            return bool(self._content() == _frozen(other))
        return NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._content()))

    def __repr__(self) -> str:
        return f"Document({self.plain()!r})"

    def __copy__(self) -> Document:
        return self

    def __deepcopy__(self, memo: object) -> Document:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Document.stored, (self._text,)

    def plain(self) -> dict[str, Any]:
        """A fresh, changeable copy in plain dicts and lists."""
        copy: dict[str, Any] = json.loads(self._text)
        return copy

    def merged(self, changes: Mapping[str, Any]) -> Document:
        """A new document with some keys set anew."""
        return Document({**self.plain(), **changes})

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _validated,
            json_schema_input_schema=core_schema.dict_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda document: document.plain(), return_schema=core_schema.dict_schema()
            ),
        )


def _validated(value: object) -> Document:
    if isinstance(value, Document):
        return value
    if isinstance(value, Mapping):
        return Document(value)
    raise ValueError("must be a JSON object")


def _plain(value: Any, path: str, depth: int) -> Any:
    """The same content in dicts, lists and scalars, checked: what `json.dumps` and jsonb both keep unchanged."""
    where = path or "document"
    if depth > MAX_DEPTH:
        raise ValueError(f"{where} is nested deeper than {MAX_DEPTH}")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            return storable(str(value))
        except ValueError as error:
            raise ValueError(f"{where} {error}") from None
    if isinstance(value, int):
        if value not in _INT64:
            raise ValueError(f"{where} must fit in 64 bits")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value) or abs(value) >= _EXACT_FLOAT:
            raise ValueError(f"{where} must be a finite number below 2**53")
        return value
    if isinstance(value, Mapping):
        plain = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{where} has a key that is not text")
            plain[_plain(key, f"{where} key", depth)] = _plain(item, f"{path}.{key}" if path else key, depth + 1)
        return plain
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{n}]", depth + 1) for n, item in enumerate(value)]
    raise ValueError(f"{where} is a {type(value).__name__}, which JSON does not know")


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return MappingProxyType({key: _frozen(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    return value


EMPTY: Final = Document()
