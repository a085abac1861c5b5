"""Messages in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast
from uuid import UUID

from app.domain.events import EventKind
from app.domain.ids import MessageId, RoomId, successor
from app.domain.messaging import (
    DeliveryStatus,
    Draft,
    Edit,
    Message,
    MessageNotFound,
    MessageType,
    MessageVersion,
    Sent,
    Thread,
    ThreadNotFound,
    listing,
    place_of_version,
    version_at,
    versions_listing,
)
from app.domain.messaging.mentions import Mentions
from app.domain.messaging.ports import MessageReader, Messages, MessageWriter
from app.domain.messaging.rules import (
    DELETE_RULES,
    EDIT_RULES,
    SEND_RULES,
    AlterFacts,
    Rule,
    SendFacts,
    judge,
    may_see,
    may_see_versions,
    thread_to_join,
)
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, opened, turn
from app.domain.rooms import Room, RoomStatus, RoomType
from app.domain.rooms.members import Membership
from app.domain.values import Moment

from .blocks import stands_between
from .files import attach, has_files, held_files
from .grants import standing_of
from .history import History, shown, unread_messages
from .identity import known_account
from .kept import OldRow
from .mentions import put_mentions
from .rooms import locked_room, locked_seat, require_room, require_seat
from .tables import (
    CLIENT_KEYS,
    MESSAGES,
    ROOM_MEMBERS,
    ROOM_MESSAGES,
    ROOM_THREADS,
    ROOMS,
    SEATS,
    STREAMING,
    THREAD_MESSAGES,
    UsedKey,
    View,
    old_rows,
)
from .threads import follow_by_reply
from .transaction import Reads, Transaction, Writes

# ── what other areas write too ────────────────────────────────────────────────────────────────────────────────────────


def put_mark(
    tx: Transaction,
    membership: Membership,
    position: int,
    message_id: MessageId | None,
    read_at: Moment | None,
) -> Membership:
    """Moves the read mark of a held membership. A mark is not content: updated_at stays."""
    moved = membership.model_copy(
        update={"last_read_position": position, "last_read_message_id": message_id, "last_read_at": read_at}
    )
    tx.view.put(SEATS, (membership.room_id, membership.user_id), moved)
    return moved


def next_id(room: Room, candidate: UUID) -> MessageId:
    """The candidate, or the next id above the room's last: within a room ids rise, whatever clock made them."""
    last = room.last_message_id
    return MessageId(candidate if last is None or candidate > last else successor(last))


def store(tx: Transaction, message: Message, key: str, body_hash: bytes) -> None:
    """Adds a message to a locked room. The room row itself is the caller's to store."""
    room_id = message.room_id
    tx.view.put(MESSAGES, (room_id, message.id), message)
    tx.view.add(ROOM_MESSAGES, room_id, message.id)
    if message.thread_id is not None:
        tx.view.add(THREAD_MESSAGES, (room_id, message.thread_id), message.id)
        tx.view.add(ROOM_THREADS, room_id, message.thread_id)
    if message.delivery_status is DeliveryStatus.STREAMING:
        tx.view.add(STREAMING, message.tenant_id, (message.id, room_id))
    tx.view.put(CLIENT_KEYS, (room_id, message.user_id, key), UsedKey(message.id, body_hash))


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────


class MemoryMessageReader(MessageReader):
    """Reads messages."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find(self, room_id: RoomId, message_id: MessageId, *, include_deleted: bool = False) -> Message:
        async with self._reads.reading() as view:
            membership = self._seat(view, room_id)
            message = view.get(MESSAGES, (room_id, message_id))
            if (
                message is None
                or not may_see(message, membership)
                or (message.deleted_at is not None and not include_deleted)
            ):
                raise MessageNotFound(message_id=str(message_id))
            return shown(message)

    async def find_by_room(
        self,
        room_id: RoomId,
        *,
        before: Cursor | None = None,
        after: Cursor | None = None,
        limit: int,
        types: tuple[MessageType, ...] = (),
        include_deleted: bool = False,
    ) -> Page[Message]:
        checked_limit(limit)
        way, anchor = turn(listing(room_id), before, after, Way.OLDER)
        async with self._reads.reading() as view:
            membership = self._seat(view, room_id)

            def wanted(message: Message) -> bool:
                return (
                    may_see(message, membership)
                    and (include_deleted or message.deleted_at is None)
                    and (not types or message.message_type in types)
                )

            return _history(view, room_id, membership, wanted).page(way, anchor, limit)

    async def find_around(self, room_id: RoomId, message_id: MessageId, *, limit: int) -> Page[Message]:
        checked_limit(limit)
        async with self._reads.reading() as view:
            membership = self._seat(view, room_id)
            middle = view.get(MESSAGES, (room_id, message_id))
            if middle is None or not may_see(middle, membership):
                raise MessageNotFound(message_id=str(message_id))

            def wanted(message: Message) -> bool:
                return may_see(message, membership) and message.deleted_at is None

            return _history(view, room_id, membership, wanted).around(middle.position - 1, limit)

    async def find_thread(
        self,
        room_id: RoomId,
        thread_id: MessageId,
        *,
        before: Cursor | None = None,
        after: Cursor | None = None,
        limit: int,
    ) -> Thread:
        checked_limit(limit)
        way, anchor = turn(listing(room_id, thread_id), before, after, Way.NEWER)
        async with self._reads.reading() as view:
            membership = self._seat(view, room_id)
            root = view.get(MESSAGES, (room_id, thread_id))
            if root is None or root.thread_id is not None or not may_see(root, membership):
                raise ThreadNotFound(thread_id=str(thread_id))

            def wanted(message: Message) -> bool:
                return may_see(message, membership) and message.deleted_at is None

            answers = view.keys(THREAD_MESSAGES, (room_id, thread_id))
            history = History(view, room_id, listing(room_id, thread_id), answers, wanted)
            return Thread(shown(root), history.page(way, anchor, limit))

    async def versions(
        self, room_id: RoomId, message_id: MessageId, *, after: Cursor | None = None, limit: int
    ) -> Page[MessageVersion]:
        checked_limit(limit)
        place = versions_listing(room_id, message_id)
        below = None if after is None else version_at(opened(place, after))
        async with self._reads.reading() as view:
            membership = self._seat(view, room_id)
            message = view.get(MESSAGES, (room_id, message_id))
            if message is None or not may_see_versions(message, membership):
                raise MessageNotFound(message_id=str(message_id))
            ended = {old.row.version: old for old in old_rows(view, MESSAGES, (room_id, message_id))}
            newest_first = sorted((n for n in ended if n < message.version), reverse=True)
            found = [_version(ended[n]) for n in newest_first if below is None or n < below]
            return cut(found[: limit + 1], Way.NEWER, limit, after is not None, place_of_version, place)

    def _seat(self, view: View, room_id: RoomId) -> Membership | None:
        """The acting member; None for the application."""
        actor = self._reads.actor
        require_room(view, actor.tenant_id, room_id)
        return None if actor.user_id is None else require_seat(view, room_id, actor.user_id)


def _version(old: OldRow[Message]) -> MessageVersion:
    return MessageVersion(
        room_id=old.row.room_id,
        message_id=old.row.id,
        version=old.row.version,
        content=old.row.content,
        metadata=old.row.metadata,
        written_at=old.row.edited_at or old.row.created_at,
        changed_by=old.stamp.changed_by,
        changed_at=old.stamp.changed_at,
    )


def _history(view: View, room_id: RoomId, membership: Membership | None, wanted: Callable[[Message], bool]) -> History:
    first = 0 if membership is None else membership.first_visible  # positions up to it are hidden
    return History(view, room_id, listing(room_id), view.keys(ROOM_MESSAGES, room_id), wanted, first)


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────


class MemoryMessageWriter(MessageWriter):
    """Sends, edits and deletes."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def send(self, room_id: RoomId, draft: Draft) -> Sent:
        async with self._writes.writing() as tx:
            sender = tx.actor.user_id
            room = await locked_room(tx, room_id)
            used = None if room is None else tx.view.get(CLIENT_KEYS, (room_id, sender, draft.client_key))
            body_hash = draft.body_hash
            if used is not None and used.body_hash == body_hash:
                first = cast(Message, tx.view.get(MESSAGES, (room_id, used.message_id)))  # keys live as long
                return Sent(shown(first), repeated=True)
            membership = None if used is not None else await locked_actor_seat(tx, room)
            account = None if sender is None else known_account(tx.view, tx.actor.tenant_id, sender)
            reply_to = named(tx, room_id, draft.reply_to_message_id)
            thread_id = thread_to_join(draft, reply_to, membership)
            facts = SendFacts(
                draft=draft,
                now=tx.now,
                room_status=None if room is None else room.status,
                key_was_used_for_another=used is not None,
                by_application=sender is None,
                membership=membership,
                account_is_barred=account is not None and account.is_barred,
                account_type=None if account is None else account.account_type,
                thread=named(tx, room_id, thread_id),
                reply_to=reply_to,
                response_to=named(tx, room_id, draft.robot_response_to),
                robot_is_known=draft.robot_id is not None
                and known_account(tx.view, tx.actor.tenant_id, draft.robot_id) is not None,
                is_blocked=membership is not None and room is not None and _is_blocked(tx, room, membership),
            )
            judge(SEND_RULES, facts)
            if draft.file_ids:  # waited for only where nothing else refuses
                judge(SEND_RULES, replace(facts, files=await held_files(tx, room_id, draft.file_ids)))
            # The first rule has held, so the room is there.
            message = await _send(tx, cast(Room, room), membership, draft, thread_id, body_hash)
            if draft.mentions is not None:
                put_mentions(tx, message, draft.mentions)
            return Sent(message)

    async def edit(
        self,
        room_id: RoomId,
        message_id: MessageId,
        content: str,
        *,
        expected_version: int | None = None,
        mentions: Mentions | None = None,
    ) -> Message:
        async with self._writes.writing() as tx:
            # Before any rule, as text PostgreSQL cannot even be asked about.
            said = Edit(content=content, mentions=mentions).content
            room, message = await judged(tx, room_id, message_id, EDIT_RULES, expected_version, said, mentions)
            edited = message.changed(
                content=said, is_edited=True, edited_at=tx.now, version=message.version + 1, updated_at=tx.now
            )
            tx.view.put(MESSAGES, (room_id, message_id), edited)
            if mentions is not None:
                put_mentions(tx, message, mentions)
            tx.log(room, EventKind.MESSAGE_EDITED, message_id)
            return edited

    async def delete(self, room_id: RoomId, message_id: MessageId) -> Message:
        async with self._writes.writing() as tx:
            room, message = await judged(tx, room_id, message_id, DELETE_RULES)
            deleted = message.changed(deleted_at=tx.now, version=message.version + 1, updated_at=tx.now)
            tx.view.put(MESSAGES, (room_id, message_id), deleted)
            tx.log(room, EventKind.MESSAGE_DELETED, message_id)
            return deleted.tombstone()


class MemoryMessages(MemoryMessageReader, MemoryMessageWriter, Messages):
    """Messages inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        MemoryMessageReader.__init__(self, reads)
        MemoryMessageWriter.__init__(self, writes)


async def locked_actor_seat(tx: Transaction, room: Room | None) -> Membership | None:
    """The actor's membership, held. Not waited for where the room alone decides: rules before it refuse anyhow."""
    if room is None or room.status is not RoomStatus.ACTIVE or tx.actor.user_id is None:
        return None
    return await locked_seat(tx, room.id, tx.actor.user_id)


def _is_blocked(tx: Transaction, room: Room, membership: Membership) -> bool:
    """Whether a block stands between the member and the other one of a direct room."""
    if room.room_type is not RoomType.DIRECT:
        return False
    user_ids = tx.view.keys(ROOM_MEMBERS, room.id)
    return any(
        stands_between(tx.view, room.tenant_id, membership.user_id, user_ids[place]) for place in range(len(user_ids))
    )


def named(tx: Transaction, room_id: RoomId, message_id: MessageId | None) -> Message | None:
    return None if message_id is None else tx.view.get(MESSAGES, (room_id, message_id))


def facts_of(
    tx: Transaction,
    room: Room | None,
    membership: Membership | None,
    message: Message | None,
    expected_version: int | None = None,
    content: str = "",
    mentions: Mentions | None = None,
) -> AlterFacts:
    """What an act on a message is judged by."""
    account = None if tx.actor.user_id is None else known_account(tx.view, tx.actor.tenant_id, tx.actor.user_id)
    return AlterFacts(
        now=tx.now,
        room_status=None if room is None else room.status,
        by_application=tx.actor.user_id is None,
        user_id=tx.actor.user_id,
        membership=membership,
        account_is_barred=account is not None and account.is_barred,
        message=message,
        expected_version=expected_version,
        content=content,
        has_files=message is not None and has_files(tx.view, message.room_id, message.id),
        mentions=mentions,
        standing=None if account is None or room is None else standing_of(tx.view, tx.now, account, room.id),
        lets_guests_in=room is None or room.guest_access_allowed,
    )


async def judged(
    tx: Transaction,
    room_id: RoomId,
    message_id: MessageId,
    rules: Sequence[Rule[AlterFacts]],
    expected_version: int | None = None,
    content: str = "",
    mentions: Mentions | None = None,
) -> tuple[Room, Message]:
    """The locked room and its message, once every rule has held."""
    room = await locked_room(tx, room_id)
    membership = await locked_actor_seat(tx, room)
    facts = facts_of(tx, room, membership, named(tx, room_id, message_id), expected_version, content, mentions)
    judge(rules, facts)
    await tx.lock(MESSAGES, (room_id, message_id))  # an answer is written on without the room's lock
    return cast(Room, room), cast(Message, named(tx, room_id, message_id))  # the rules have held: both are there


async def _send(
    tx: Transaction,
    room: Room,
    membership: Membership | None,
    draft: Draft,
    thread_id: MessageId | None,
    body_hash: bytes,
) -> Message:
    read_all = membership is not None and next(unread_messages(tx.view, membership), None) is None
    message = Message(
        id=next_id(room, tx.ids()),
        room_id=room.id,
        tenant_id=room.tenant_id,
        position=room.last_position + 1,
        user_id=tx.actor.user_id,
        message_type=draft.message_type,
        content=draft.content,
        metadata=draft.metadata,
        robot_id=draft.robot_id,
        robot_response_to=draft.robot_response_to,
        is_robot_visible_to_guests=draft.is_robot_visible_to_guests,
        reply_to_message_id=draft.reply_to_message_id,
        thread_id=thread_id,
        delivery_status=DeliveryStatus.STREAMING if draft.is_streamed else DeliveryStatus.DELIVERED,
        created_at=tx.now,
        updated_at=tx.now,
    )
    if thread_id is not None:
        await follow_by_reply(tx, message, thread_id, membership)
    store(tx, message, draft.client_key, body_hash)
    attach(tx, message, draft.file_ids)
    # Counters and marks are not content: they are set without validating the row anew, and leave updated_at alone.
    room = room.model_copy(update={"last_position": message.position, "last_message_id": message.id})
    tx.view.put(ROOMS, room.id, room)
    tx.log(room, EventKind.MESSAGE_SENT, message.id)
    if membership is not None and read_all:
        put_mark(tx, membership, message.position, message.id, tx.now)
    return message
