"""Taking in chat that was written elsewhere (SPEC 3.13): the port an importer stores through."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from typing import Protocol, Self

from pydantic import model_validator
from sqlmodel import Field

from .documents import EMPTY, Document
from .files import FILES_PER_MESSAGE, ImportedFile
from .ids import MessageId, RoomId, UserId
from .messaging import MAY_BE_EMPTY, ClientKey, Content, MessageType
from .reactions import Emoji
from .rooms.members import Role
from .values import Moment, Value


class ImportedReaction(Value):
    """What somebody said to a message with one sign."""

    user_id: UserId
    emoji: Emoji
    created_at: Moment


class ImportedPin(Value):
    """That a message is kept at hand. `user_id` None: its source does not tell who pinned it."""

    user_id: UserId | None = None
    created_at: Moment


class ImportedMentions(Value):
    """Whom a message called, seated or not: its source has judged that. `here` reached nobody who is known now."""

    users: tuple[UserId, ...] = ()
    here: bool = False
    all: bool = False


class ImportedMessage(Value):
    """A message as its source has it. `key` is the source's own name for it, the same at every import.

    `reply_to_key` and `thread_key` name messages of the same room by their keys; one that is not there is left out of
    the stored message.
    """

    id: MessageId
    key: ClientKey
    user_id: UserId
    content: Content
    message_type: MessageType = MessageType.TEXT
    metadata: Document = EMPTY  # type: ignore[assignment,misc]  # the field wins over the class's own, see values.py
    reply_to_key: ClientKey | None = None
    thread_key: ClientKey | None = None
    files: tuple[ImportedFile, ...] = Field(default=(), max_length=FILES_PER_MESSAGE)
    """What its source attached to it, known by address: it counts as a file though its bytes are not here."""
    reactions: tuple[ImportedReaction, ...] = ()
    """In the order given. As many as there are: the limit of emoji on a message holds for people, not for a source."""
    pin: ImportedPin | None = None
    mentions: ImportedMentions | None = None
    created_at: Moment
    edited_at: Moment | None = None
    is_deleted: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.content and not self.is_deleted and not (self.message_type in MAY_BE_EMPTY and self.files):
            raise ValueError("content: must not be empty, but for an image or file with its files")
        return self

    @property
    def body_hash(self) -> bytes:
        """33 bytes that differ when what is said differs; a sender's are 32, so neither repeats the other."""
        body = [self.content, self.metadata.text, str(self.edited_at), self.is_deleted]
        return b"\0" + hashlib.sha256(json.dumps(body).encode()).digest()


class ImportedSeat(Value):
    """Somebody who sits in a room, as its source has it. `read_until` None: they have read what is there."""

    user_id: UserId
    role: Role = Role.MEMBER
    read_until: Moment | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a batch: how many were stored, how many had been stored before, and of those were told anew."""

    stored: int
    repeated: int
    updated: int = 0


class Imports(Protocol):
    """Stores imported messages inside a unit of work, run by the application itself."""

    async def take_in(self, room_id: RoomId, messages: tuple[ImportedMessage, ...]) -> Taken:
        """Adds the messages to a room in the order given, numbering them on, in one statement.

        A message whose key the room already has from that author is not stored again: where it says something else
        than it did then, its content, metadata and edit time are replaced, or it is deleted; what was deleted here
        stays deleted. An id not above the room's last is replaced by the next one above it: the source's time stays in
        `created_at`. Every author takes a seat (as `member`, from their first message's time) and has read up to their
        own last message.

        Files and mentions come with a message when it is stored, never later. Reactions and the pin are added to what
        is there too, unless it is deleted: a later import adds those it does not find, and takes none away. Every one
        added is a revision of its own, so they keep the source's order after those that are there. Pins of a batch are
        added by their time.
        Neither the room's limits of participants, pins and emoji nor its status hold an import up. The room's log tells
        each seat taken, by user id, as MEMBER_JOINED, and then each message stored as MESSAGE_SENT, each one that was
        told anew as MESSAGE_EDITED, then MESSAGE_DELETED, then each reaction as REACTION_ADDED and each pin as
        MESSAGE_PINNED.
        Its key is good for repeating the import only: a send with it is `ClientKeyReused`.

        Raises `RoomNotFound`, `UserNotFound` for anybody a message names, `MonthMissing`.
        """
        ...

    async def seat(self, room_id: RoomId, seats: tuple[ImportedSeat, ...]) -> int:
        """Seats who has no membership in the room yet, in one statement; returns how many.

        Neither the room's limit nor its status holds it up. A member who is there already takes the role of the source
        when theirs is `member`, and their read mark moves on to the last message of `read_until`, never back. Each seat
        taken is MEMBER_JOINED in the room's log, by user id. Raises `RoomNotFound`, `UserNotFound`.
        """
        ...


class Months(Protocol):
    """Storage for messages by calendar month (UTC)."""

    async def ensure(self, first: date, last: date) -> int:
        """Makes the months from `first` to `last` that are missing; returns how many. Safe to run at any time."""
        ...
