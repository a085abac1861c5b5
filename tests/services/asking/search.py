"""Who finds what, and who keeps the index."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from tests.services.asking.scene import OF_TENANT, READS_ON, STRANGERS, Asks, Scene

_UPKEEP = dict.fromkeys(STRANGERS, "names no actor: the process's own upkeep, and counts are all it tells")


async def _indexing(scene: Scene) -> Any:
    with suppress(TimeoutError):
        await asyncio.wait_for(scene.chat.search.keep_indexed(), 0.01)


ROWS = {
    "search.search": Asks(
        lambda s, a: s.chat.search.search(a, "secret", fresh=True),
        open_to={**READS_ON, **OF_TENANT, "foreigner": "has no rooms there"},
    ),
    "search.search of a room": Asks(
        lambda s, a: s.chat.search.search(a, "secret", rooms=[s.room.id], fresh=True),
        open_to={**READS_ON, **OF_TENANT, "foreigner": "has no rooms there"},
    ),
    "search.index_pending": Asks(lambda s, _: s.chat.search.index_pending(), open_to=_UPKEEP),
    "search.lag": Asks(lambda s, _: s.chat.search.lag(), open_to=_UPKEEP),
    "search.rebuild": Asks(lambda s, _: s.chat.search.rebuild(), open_to=_UPKEEP),
    "search.keep_indexed": Asks(lambda s, _: _indexing(s), open_to=_UPKEEP),
}
