"""Fields of untrusted JSON, judged one by one: what comes out can be stored as it stands.

Everything here raises `Unreadable` and nothing else, whatever it is given; the text never repeats the input.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, NoReturn

from pydantic import TypeAdapter, ValidationError

from app.domain.documents import MAX_BYTES, Document
from app.domain.text import NAMEABLE, storable

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No chat in these formats is older; an earlier time is an error of the file, and each month costs storage."""
AHEAD = timedelta(days=1)
"""How far a message's time may lie in the future: clocks differ, calendars do not."""

_WHOLE_LIMIT = 2**63
_NAME: TypeAdapter[str] = TypeAdapter(Annotated[str, NAMEABLE])


class Unreadable(ValueError):
    """Input that is no message of its format; the text says why, without repeating what it said."""


def object_of(line: bytes) -> dict[str, Any]:
    if not line.strip():
        raise Unreadable("the line is blank")
    try:
        found = _DECODER.decode(line.decode())
    except UnicodeDecodeError:
        raise Unreadable("the line is not UTF-8") from None
    except RecursionError:
        raise Unreadable("the JSON is nested too deep") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"the line is not JSON: {error.msg} at character {error.pos + 1}") from None
    except Unreadable:
        raise
    except ValueError:  # Python refuses to convert integers of more than 4,300 digits
        raise Unreadable("the line holds a number that is too large") from None
    if not isinstance(found, dict):
        raise Unreadable("the line is not a JSON object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("a field is given twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise Unreadable(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def given(found: dict[str, Any], field: str) -> Any:
    value = found.get(field)
    if value is None:
        raise Unreadable(f"{field}: is missing")
    return value


def whole(found: dict[str, Any], field: str) -> int:
    value = given(found, field)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unreadable(f"{field}: must be a whole number")
    if not 0 <= value < _WHOLE_LIMIT:
        raise Unreadable(f"{field}: must be from 0 to 2**63 - 1")
    return value


def text_of(found: dict[str, Any], field: str, longest: int) -> str:
    value = given(found, field)
    if not isinstance(value, str):
        raise Unreadable(f"{field}: must be text")
    if len(value) > longest:
        raise Unreadable(f"{field}: must be at most {longest} characters, has {len(value)}")
    try:
        return storable(value)
    except ValueError as error:
        raise Unreadable(f"{field}: {error}") from None


def name_of(found: dict[str, Any], field: str, longest: int) -> str:
    name = text_of(found, field, longest)
    complaint = _complaint(name)
    if complaint:
        raise Unreadable(f"{field}: {complaint}")
    return name


@lru_cache(maxsize=4096)
def _complaint(name: str) -> str | None:
    """What keeps a text from being a name; asked for every line, of few names."""
    try:
        _NAME.validate_python(name)
    except ValidationError as error:
        return error.errors()[0]["msg"].removeprefix("Value error, ")
    return None


def objects_of(found: dict[str, Any], field: str) -> list[dict[str, Any]]:
    value = found[field]
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Unreadable(f"{field}: must be a list of objects")
    return value


def in_range(moment: datetime, field: str, not_after: datetime) -> datetime:
    """The moment, unless no message of such an export can be from then."""
    if not EARLIEST <= moment <= not_after:
        raise Unreadable(f"{field}: must be from {EARLIEST:%Y-%m-%d} to a day from now")
    return moment


# ── metadata ──────────────────────────────────────────────────────────────────────────────────────────────────────


def document(metadata: dict[str, Any], source: dict[str, Any], other: dict[str, Any], plain: str) -> Document:
    """The metadata with as much of the plain form, and of fields we do not know, as a document holds."""
    if other:
        source["other"] = other
    whole = {**metadata, "plain": plain}
    if not other and "mentions" not in metadata and "attachments" not in metadata:
        # The usual case. Every value has been judged, so the text may be made here, in a quarter of the time.
        text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        if len(text) * 4 <= MAX_BYTES or len(text.encode()) <= MAX_BYTES:
            return Document.stored(text)
    try:
        return Document(whole)
    except (ValueError, RecursionError):
        pass  # something does not fit; what, is found out below
    if other:
        try:
            Document(source)
        except (ValueError, RecursionError):
            del source["other"]
            source["other_left_out"] = True
    metadata["plain_truncated"] = True
    try:
        room = MAX_BYTES - len(Document({**metadata, "plain": ""}).text.encode()) + 2
    except ValueError as error:
        raise Unreadable(f"metadata: {error}") from None
    cut = _longest(plain, room)
    if cut == plain:
        del metadata["plain_truncated"]
    return Document({**metadata, "plain": cut})


def _longest(text: str, room: int) -> str:
    """As much of a text as fits, in quotes and escaped, in so many bytes of JSON."""
    fits, beyond = 0, len(text) + 1
    while beyond - fits > 1:
        middle = (fits + beyond) // 2
        if len(json.dumps(text[:middle], ensure_ascii=False).encode()) <= room:
            fits = middle
        else:
            beyond = middle
    return text[:fits]
