"""What a source has read and not yet handed over."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from app.services.imports.records import Batch, Record, Refusal, SourceAuthor, SourceRoom, SourceSeat


@dataclass(slots=True)
class Pending:
    """What the next batch will hold."""

    records: list[Record] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    described: Counter[str] = field(default_factory=Counter)
    authors: list[SourceAuthor] = field(default_factory=list)
    rooms: list[SourceRoom] = field(default_factory=list)
    seats: list[SourceSeat] = field(default_factory=list)

    @property
    def lines(self) -> int:
        return len(self.records) + len(self.refusals) + self.described.total()

    def refuse(self, line: int, reason: str, kind: str, where: str) -> None:
        self.refusals.append(Refusal(line, reason, kind, where))

    def describe(self, kind: str, count: int = 1) -> None:
        self.described[kind] += count

    def taken(self, bytes_read: int) -> Batch:
        """The batch; what is pending is empty afterwards."""
        batch = Batch(
            self.lines,
            tuple(self.records),
            tuple(self.refusals),
            bytes_read,
            described=dict(self.described),
            authors=tuple(self.authors),
            rooms=tuple(self.rooms),
            seats=tuple(self.seats),
        )
        for part in (self.records, self.refusals, self.described, self.authors, self.rooms, self.seats):
            part.clear()
        return batch
