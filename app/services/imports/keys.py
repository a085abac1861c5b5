"""What keeps the keys and ids of several servers and rooms apart."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final

from app.domain.errors import Invalid

SOURCE_NAME_MAX: Final = 40
SALT_BITS: Final = 11
"""Below the source's own number in the 74 free bits of an id."""
_SOURCE_NAME: Final = re.compile(rf"[a-zA-Z0-9._-]{{1,{SOURCE_NAME_MAX}}}")


def require_source_name(name: str) -> None:
    """A server's name: 1 to 40 letters, digits and ``._-``. Raises `Invalid`."""
    if not _SOURCE_NAME.fullmatch(name):
        raise Invalid.field("source", f"must be 1 to {SOURCE_NAME_MAX} of a-z, A-Z, 0-9 and ._-")


@lru_cache(maxsize=4096)
def salt_of(room_key: str) -> int:
    """`SALT_BITS` bits of a room's key, so that equal moments of two rooms make two ids. Asked for every message."""
    return int.from_bytes(hashlib.sha256(room_key.encode()).digest()[:2]) >> (16 - SALT_BITS)
