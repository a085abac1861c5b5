"""What a source hands to the importer, and what the importer reports back. No format stands here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.domain.documents import Document
from app.domain.errors import Invalid
from app.domain.identity import AccountType
from app.domain.ids import MessageId
from app.domain.values import Moment

FIRST_REFUSALS = 20
"""How many refusals a report holds; every one of them goes to `ImportService.run(refused=...)`."""


@dataclass(frozen=True, slots=True)
class SourceRoom:
    """A room as the source knows it. Its key becomes the external id, unique within the tenant."""

    key: str
    name: str
    settings: Document


@dataclass(frozen=True, slots=True)
class SourceAuthor:
    """Somebody who wrote. Their key becomes the external id, unique within the tenant."""

    key: str
    name: str
    account_type: AccountType = AccountType.MEMBER


@dataclass(frozen=True, slots=True)
class Record:
    """One message, judged by its source: what stands here is stored as it is (limits of `ImportedMessage`).

    Keys are the source's own names, the same at every import.
    """

    line: int
    id: MessageId
    key: str
    room: SourceRoom
    author: SourceAuthor
    content: str
    metadata: Document
    created_at: Moment
    reply_to_key: str | None = None
    thread_key: str | None = None
    """The key of the thread's first message; None for that message itself."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that was not taken in, by its number from 1, and why. It never repeats what the line said."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of lines, stored together. `lines` = records + refusals."""

    lines: int
    records: tuple[Record, ...]
    refusals: tuple[Refusal, ...]
    bytes_read: int
    """Of the source as a whole, after this batch; of the compressed file when it is one."""


class Source(Protocol):
    """An export being read."""

    @property
    def bytes_total(self) -> int | None:
        """What `bytes_read` will be at the end; None when nobody knows before."""
        ...

    def batches(self, size: int, now: datetime) -> Iterator[Batch]:
        """The export from its beginning, in its own order, up to `size` lines at a time. Used by one thread at a time.

        `now` is what a message's time is judged by. Raises `SourceBroken`, after the last batch that could be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """What came of an import, so far or in all: `lines` = `stored` + `repeated` + `refused`, after every batch."""

    lines: int = 0
    stored: int = 0
    repeated: int = 0
    """Already there from an earlier import, or twice in this one."""
    refused: int = 0
    first_refusals: tuple[Refusal, ...] = ()
    """Up to `FIRST_REFUSALS`."""
    rooms_created: int = 0
    accounts_created: int = 0
    bytes_read: int = 0
    bytes_total: int | None = None


class SourceBroken(Invalid):
    """The export breaks off or cannot be read on. What stood before that place has been taken in."""

    code = "import_source_broken"
    remedy = "Get the file once more and import it again: what is already there is passed over."

    report: Report | None = None
    """What had been taken in, when an import was under way."""


Progress = Callable[[Report], None]
"""Told after every batch, when it is stored for good."""

Refused = Callable[[Refusal], None]
"""Told of every refused line, in order, when its batch is stored for good."""
