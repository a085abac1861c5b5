"""What a source hands to the importer, and what the importer reports back. No format stands here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from app.domain.documents import Document
from app.domain.errors import Invalid
from app.domain.identity import AccountType
from app.domain.ids import MessageId
from app.domain.messaging import MessageType
from app.domain.rooms.members import Role
from app.domain.values import Moment

FIRST_REFUSALS = 20
"""How many refusals a report holds; every one of them goes to `ImportService.run(refused=...)`."""


@dataclass(frozen=True, slots=True)
class SourceAuthor:
    """An account as the source knows it. Its key becomes the external id, unique within the tenant."""

    key: str
    name: str
    """What is shown; the username comes from `handle`, or from here when there is none."""
    account_type: AccountType = AccountType.MEMBER
    handle: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    """Given only when the caller asked for addresses: they are personal data."""
    is_deactivated: bool = False


@dataclass(frozen=True, slots=True)
class SourceRoom:
    """A room as the source knows it. Its key becomes the external id, unique within the tenant."""

    key: str
    name: str | None
    """None for a direct room."""
    settings: Document
    description: str | None = None
    is_private: bool = False
    is_archived: bool = False
    created_at: Moment | None = None
    """None: as old as its first message."""
    pair: tuple[SourceAuthor, ...] = ()
    """The one or two who talk in a direct room; empty for every other."""


@dataclass(frozen=True, slots=True)
class SourceSeat:
    """Somebody who sits in a room, whether they wrote or not."""

    room: SourceRoom
    author: SourceAuthor
    role: Role = Role.MEMBER
    read_until: Moment | None = None
    """They have read what is not newer than this; None: everything that was there."""


@dataclass(frozen=True, slots=True)
class SourceReaction:
    emoji: str
    author: SourceAuthor
    created_at: Moment | None = None
    """None when the source does not tell: the message's own time is taken."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a message; `url` says where its bytes are. Judged by `attached.judged`: it can be stored as it is."""

    name: str
    mime_type: str
    size: int
    url: str


@dataclass(frozen=True, slots=True)
class SourcePin:
    author: SourceAuthor | None
    created_at: Moment


@dataclass(frozen=True, slots=True)
class SourceMentions:
    """Whom a message calls."""

    authors: tuple[SourceAuthor, ...] = ()
    here: bool = False
    all: bool = False


@dataclass(frozen=True, slots=True)
class Extras:
    """What only some messages have."""

    reactions: tuple[SourceReaction, ...] = ()
    files: tuple[SourceFile, ...] = ()
    pin: SourcePin | None = None
    mentions: SourceMentions | None = None

    @property
    def named(self) -> Iterator[SourceAuthor]:
        """Everybody named here, some of them more than once."""
        yield from (given.author for given in self.reactions)
        if self.pin is not None and self.pin.author is not None:
            yield self.pin.author
        if self.mentions is not None:
            yield from self.mentions.authors


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
    message_type: MessageType = MessageType.TEXT
    edited_at: Moment | None = None
    is_deleted: bool = False
    """Stored at its place as a tombstone, or deleted where it had been stored before."""
    extras: Extras | None = None
    kind: str = "message"
    """What the source calls it: what the report counts by."""
    is_raw: bool = False
    """Kept as it stands in the metadata, because nobody knows what it means."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that was not taken in, by its number from 1, and why. It never repeats what the line said."""

    line: int
    reason: str
    kind: str = "message"
    where: str = ""
    """The place in the export as people find it, where the number alone does not tell."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of lines, stored together. `lines` = records + refusals + described."""

    lines: int
    records: tuple[Record, ...]
    refusals: tuple[Refusal, ...]
    bytes_read: int
    """Of the source as a whole, after this batch; of the compressed file when it is one."""
    described: Mapping[str, int] = field(default_factory=dict)
    """Lines that were no messages, by kind: what they said stands in the rooms, authors and seats."""
    authors: tuple[SourceAuthor, ...] = ()
    """Accounts to be there, and to be as described, whether they wrote or not."""
    rooms: tuple[SourceRoom, ...] = ()
    """As `authors`."""
    seats: tuple[SourceSeat, ...] = ()
    """Taken after the messages of this batch are stored."""


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
class KindCount:
    """What became of one kind of line."""

    mapped: int = 0
    raw: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What came of an import, so far or in all, after every batch.

    `lines` = `stored` + `updated` + `repeated` + `described` + `refused`; of the stored, `raw` were kept raw.
    """

    lines: int = 0
    stored: int = 0
    updated: int = 0
    """There from an earlier import, and otherwise in this one: edited or deleted since."""
    repeated: int = 0
    """Already there from an earlier import, or twice in this one."""
    described: int = 0
    """No messages: rooms, accounts, notices that another line repeats."""
    raw: int = 0
    refused: int = 0
    kinds: Mapping[str, KindCount] = field(default_factory=dict)
    """By what the source calls it."""
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
