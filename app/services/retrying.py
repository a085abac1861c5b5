"""Trying again when somebody else held the rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import stamina

from app.domain.errors import Contended

P = ParamSpec("P")
R = TypeVar("R")

RETRIES = 5
_PAUSE = 0.02
_PAUSE_MAX = 0.5
_JITTER = 0.1
"""Seconds. Pauses double from the first to the longest; the jitter keeps two that collided from colliding again."""


def retrying(method: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Runs a writing method anew on `Contended`, at most 5 times more; every other error passes at once.

    The whole method is repeated and never only its last statement: what it read before may have changed.
    """

    @wraps(method)
    async def repeated(*args: P.args, **kwargs: P.kwargs) -> R:
        # The first run goes past stamina, whose machinery costs a tenth of a whole send; almost all end here.
        try:
            return await method(*args, **kwargs)
        except Contended as error:
            contended: Contended | None = error
        # A context and not stamina's decorator: the decorator hands the call's arguments to stamina's hooks, which log
        # them, passwords and messages included. The hooks are the host application's to choose and see none here.
        async for attempt in stamina.retry_context(
            on=Contended,
            attempts=1 + RETRIES,
            timeout=None,  # bounded by the number of runs and the lock time-out of each
            wait_initial=_PAUSE,
            wait_max=_PAUSE_MAX,
            wait_jitter=_JITTER,
        ):
            with attempt:
                if contended is not None:  # the first attempt is the run that has failed
                    failed, contended = contended, None
                    raise failed
                return await method(*args, **kwargs)
        raise AssertionError("stamina neither returned nor raised")

    return repeated
