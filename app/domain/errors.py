"""Every error a caller of chatcore can meet.

    ChatError
    ├── Invalid          the input breaks a limit; asking again with the same input is useless
    ├── NotFound         what was named does not exist, or not for this tenant
    ├── Conflict         somebody else was first, or a rule about the whole set would break
    │   └── StaleVersion the value was changed by somebody else since it was read
    ├── Forbidden        the actor may not do this
    ├── Limited          a bound on amount was reached; may work later
    ├── Unavailable      nothing happened, through no fault of the input; may work at once or later
    │   └── Contended    two wanted the same rows, and one had to give up
    ├── OutcomeUnknown   the change may or may not have happened; repeat with the same key to learn
    └── Misuse           the calling program breaks a rule of this package: mend the program

The kinds stand here and are few, so that a web layer maps eight classes and is done. What exactly went wrong is a
subclass with a stable ``code``, defined beside the noun it speaks of (``rooms.RoomNotFound``). A subclass's docstring
is the cause, its ``remedy`` what a caller can do; ``docs/errors.md`` is made from both.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import ValidationError

_by_code: dict[str, type[ChatError]] = {}


class ChatError(Exception):
    """Something a caller of chatcore can meet and is meant to handle."""

    code: ClassVar[str] = "error"
    remedy: ClassVar[str] = "Handle one of the kinds below it."

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "code" not in vars(cls):
            raise TypeError(f"{cls.__name__} has no code of its own")
        if _by_code.setdefault(cls.code, cls) is not cls:
            raise TypeError(f"{cls.__name__} and {_by_code[cls.code].__name__} share the code {cls.code!r}")

    def __init__(self, message: str | None = None, **details: Any) -> None:
        """``details`` are plain values a program can read: the field, the limit, the id; never content or secrets."""
        cause = (type(self).__doc__ or "").strip().splitlines()
        super().__init__(message or (cause[0] if cause else self.code))
        self.details = details


class Invalid(ChatError):
    """The input breaks a limit; the message names the field and the limit."""

    code = "invalid"
    remedy = "Correct the named field. Nothing was written."

    @classmethod
    def field(cls, field: str, reason: str) -> Self:
        """``field`` is a dotted path into the input, ``reason`` the limit it broke; the value itself is never told."""
        return cls(f"{field}: {reason}", field=field, reason=reason)

    @classmethod
    def of(cls, error: ValidationError) -> Self:
        """The first complaint of a pydantic validation; the offending value is left out, it may be a secret."""
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        path = ".".join(str(part) for part in first["loc"])
        if not path:  # a rule about the whole value names its field in the text
            path, _, reason = reason.partition(": ")
        return cls.field(path, reason)


class NotFound(ChatError):
    """What was named does not exist, or not for this tenant."""

    code = "not_found"
    remedy = "Treat it as absent. Nothing was written."


class Conflict(ChatError):
    """Somebody else was first, or a rule about the whole set would break."""

    code = "conflict"
    remedy = "Read again, decide again. Nothing was written."


class StaleVersion(Conflict):
    """The value was changed by somebody else since it was read."""

    code = "stale_version"
    remedy = "Read it again and decide again."


class Forbidden(ChatError):
    """The actor may not do this."""

    code = "forbidden"
    remedy = "Tell the actor. Nothing was written."


class Limited(ChatError):
    """A bound on amount was reached."""

    code = "limited"
    remedy = "Try later, or raise the bound. Nothing was written."


class Unavailable(ChatError):
    """The store could not serve this: no connection, no room in the pool, a missing month."""

    code = "unavailable"
    remedy = "Nothing was written. Retry with a pause; look at the store's health when it stays."


class Contended(Unavailable):
    """A lock was not granted in time, or a deadlock was broken, and retries were used up."""

    code = "contended"
    remedy = "Nothing was written. Services retry this by themselves up to 5 times; when it arrives, slow down."


class OutcomeUnknown(ChatError):
    """The connection was lost while the change was being committed: it may or may not stand."""

    code = "outcome_unknown"
    remedy = "Repeat with the same client key (sends answer with the first result), or read and look."


class Misuse(ChatError):
    """A unit of work was used after its end, or by two tasks at once: an error in the calling program."""

    code = "misuse"
    remedy = "Open one unit of work per task and finish it inside its `async with`."


def by_code(code: str) -> type[ChatError]:
    """The error class of a stable code; `KeyError` when there is none."""
    return _by_code[code]


def every() -> tuple[type[ChatError], ...]:
    """Every error class imported so far, by code: what the documentation lists."""
    return tuple(_by_code[code] for code in sorted(_by_code))
