"""What text may be stored, and when two names are the same name."""

from __future__ import annotations

import unicodedata

from pydantic import AfterValidator

KEY_MAX_BYTES = 1024
"""A folded name is a B-tree key: PostgreSQL refuses them past 2,700 bytes, and one character may fold to 18."""


def storable(value: str) -> str:
    """The text itself, or `ValueError` for what PostgreSQL text cannot hold: NUL, and surrogates without a partner."""
    if "\x00" in value:
        raise ValueError("must not contain the NUL character")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("must not contain a lone surrogate") from None
    return value


def is_storable(value: str) -> bool:
    """False for text that nothing stored can be equal to; a look-up by it finds nothing."""
    try:
        storable(value)
    except ValueError:
        return False
    return True


def key_of(name: str) -> str:
    """The form in which two names are compared: NFKC and casefold, without invisible characters (SPEC 1.6).

    ``Ａnn``, ``ann`` and ``a<zero-width space>nn`` share one key. Computed here and not by a collation: citext and ICU
    both call names different that people take for the same. Raises `ValueError` when nothing visible remains or when
    the folded form is longer than `KEY_MAX_BYTES` bytes.
    """
    key = " ".join(folded(name).split())
    if not key:
        raise ValueError("must contain a visible character")
    if len(key.encode()) > KEY_MAX_BYTES:
        raise ValueError(f"must be at most {KEY_MAX_BYTES} bytes once folded for comparison")
    return key


def key_or_none(name: str) -> str | None:
    """The key of a name, or None for text that nobody can be called by: a look-up by it finds nobody."""
    try:
        return key_of(storable(name))
    except ValueError:
        return None


def folded(name: str) -> str:
    """Text in the form it is compared in: NFKC, casefolded, without what nobody sees."""
    if name.isascii():
        return name.lower()
    for _ in range(3):  # folding can bring up what normalising folds again; it settles within three rounds
        visible = "".join(c for c in name if not is_ignorable(c))
        name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
    return name


def is_ignorable(character: str) -> bool:
    """Format characters, variation selectors, fillers: they change nothing a reader sees."""
    if character.isascii():
        return False
    return unicodedata.category(character) == "Cf" or any(low <= character <= high for low, high in _INVISIBLE)


_INVISIBLE = (
    *(("\u034f", "\u034f"), ("\u115f", "\u1160"), ("\u17b4", "\u17b5"), ("\u180b", "\u180f"), ("\u2060", "\u206f")),
    *(("\u3164", "\u3164"), ("\ufe00", "\ufe0f"), ("\uffa0", "\uffa0"), ("\ufff0", "\ufff8")),
    ("\U000e0000", "\U000e0fff"),
)
"""What Unicode calls default ignorable beyond the format characters, with the code points it keeps free for more."""


def _nameable(value: str) -> str:
    storable(value)
    if any(unicodedata.category(c) == "Cc" for c in value):
        raise ValueError("must not contain control characters")
    key_of(value)
    return value


STORABLE = AfterValidator(storable)
"""Any text PostgreSQL can hold. Stands after the length in an annotation, so that the length is judged first."""

NAMEABLE = AfterValidator(_nameable)
"""Text that names something: with a visible character, without control characters, foldable to a key."""
