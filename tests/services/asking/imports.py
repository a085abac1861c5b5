"""Who may take in what was written elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from app.domain.errors import Invalid
from app.services.imports.records import Batch, Source
from tests.services.asking.scene import STRANGERS, Asks


class Nothing(Source):
    """A source without a line."""

    @property
    def bytes_total(self) -> int:
        return 0

    def batches(self, size: int, now: datetime) -> Iterator[Batch]:
        return iter(())


ROWS = {
    "imports.run": Asks(
        lambda s, a: s.chat.imports.run(a, Nothing()),
        by="system",
        refused=dict.fromkeys((*STRANGERS, "admin"), Invalid),
    )
}
