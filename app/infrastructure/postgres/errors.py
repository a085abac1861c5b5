"""Where driver errors become chatcore's: by SQLSTATE, never by text."""

from __future__ import annotations

import asyncio

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.domain import errors
from app.domain.errors import ChatError, Conflict, Contended, Invalid, NotFound, OutcomeUnknown, Unavailable
from app.domain.messaging import MonthMissing

DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    asyncio.TimeoutError,
    PoolTimeout,
    DBAPIError,
    InvalidRequestError,
    AsyncAdapt_asyncpg_dbapi.Error,
)
"""All that asyncpg and the pool raise when something is wrong with the server, the connection or a value. The last two
are what SQLAlchemy makes of an error while connecting; asyncpg's own is their cause."""

_CONTENDED = frozenset({"40001", "40P01", "55P03"})
_NOT_MIGRATED = frozenset({"42P01", "42883", "42704", "42703", "3F000"})


class PoolExhausted(Unavailable):
    """Every connection of the pool was in use for as long as a call may wait for one."""

    code = "pool_exhausted"
    remedy = "Nothing was written. Slow down, or raise CHAT_POOL_SIZE; look for units of work that are held open."


class SchemaMissing(Unavailable):
    """The database has no chatcore schema, or not this version's."""

    code = "schema_missing"
    remedy = "Run `chatcore migrate up` (or `alembic upgrade head`)."


def refusal(code: str) -> ChatError:
    """The domain error a function of the database named by its code."""
    return errors.by_code(code)()


def translated(error: BaseException, *, may_have_happened: bool) -> ChatError:
    """The domain error for a driver error; `may_have_happened` when the statement would have been its own commit."""
    while isinstance(error, DBAPIError | AsyncAdapt_asyncpg_dbapi.Error) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError):  # refused by the driver's encoder
        return Invalid("input: a value does not fit its type", field="input", reason="a value does not fit its type")
    if isinstance(error, PoolTimeout):
        return PoolExhausted()
    if isinstance(error, asyncpg.PostgresError) and error.sqlstate is not None:
        return _by_sqlstate(error.sqlstate, error, may_have_happened)
    if may_have_happened:
        return OutcomeUnknown()
    return Unavailable(reason=type(error).__name__)


def _by_sqlstate(state: str, error: asyncpg.PostgresError, may_have_happened: bool) -> ChatError:
    constraint = getattr(error, "constraint_name", None)
    if state in _CONTENDED:
        return Contended(sqlstate=state)
    if state == "23514" and constraint is None:  # no partition takes the row
        return MonthMissing(sqlstate=state)
    if state in ("23505", "23P01"):
        return Conflict(sqlstate=state, constraint=constraint)
    if state == "23503":
        return NotFound(sqlstate=state, constraint=constraint)
    if state.startswith(("22", "23")):
        return Invalid(f"input: refused by the database ({constraint or state})", sqlstate=state, field=constraint)
    if state in _NOT_MIGRATED:
        return SchemaMissing(sqlstate=state)
    if state.startswith(("08", "57")) and may_have_happened:
        return OutcomeUnknown(sqlstate=state)
    return Unavailable(sqlstate=state)
