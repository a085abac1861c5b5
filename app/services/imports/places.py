"""The rooms of an import: found by the source's key, made where there is none, kept as the source describes them."""

from __future__ import annotations

from app.domain.events import Change, EventKind
from app.domain.ids import Ids, RoomId
from app.domain.rooms import Room, RoomExternalIdTaken, RoomStatus, RoomType
from app.domain.rooms.members import Membership
from app.domain.unit_of_work import UnitOfWork
from app.services.imports import accounts
from app.services.imports.known import Found, Known
from app.services.imports.records import SourceRoom


async def found_or_made(uow: UnitOfWork, source: SourceRoom, ids: Ids, known: Known, found: Found) -> RoomId:
    """The room of a source, made when there is none."""
    room = await _found_or_made(uow, source, ids, known, found)
    return room.id


async def as_described(uow: UnitOfWork, source: SourceRoom, ids: Ids, known: Known, found: Found) -> RoomId:
    """The room of a source: made, or brought up to what the source says of it now."""
    made_before = found.rooms_created
    room = await _found_or_made(uow, source, ids, known, found)
    if found.rooms_created > made_before or source.pair:
        return room.id
    status = RoomStatus.ARCHIVED if source.is_archived else RoomStatus.ACTIVE
    # A room that was closed here stays closed, whatever the source says.
    described = room.changed(
        name=source.name,
        description=source.description,
        is_private=source.is_private,
        settings=source.settings,
        status=room.status if room.status is RoomStatus.CLOSED else status,
    )
    if described != room:
        await uow.rooms.save(described)
        uow.record(Change(room_id=room.id, kind=EventKind.ROOM_UPDATED))
    return room.id


async def _found_or_made(uow: UnitOfWork, source: SourceRoom, ids: Ids, known: Known, found: Found) -> Room:
    room = await uow.rooms.find_by_external_id(source.key)
    if room is not None:
        return room
    made = Room(
        id=RoomId(ids()),
        tenant_id=uow.actor.tenant_id,
        name=source.name,
        description=source.description,
        room_type=RoomType.DIRECT if source.pair else RoomType.GROUP,
        status=RoomStatus.ARCHIVED if source.is_archived else RoomStatus.ACTIVE,
        is_private=source.is_private,
        max_participants=len(source.pair) or None,
        external_id=source.key,
        settings=source.settings,
        created_at=min(source.created_at or uow.now, uow.now),
        updated_at=uow.now,
    )
    if source.pair:
        return await _direct(uow, made, source, ids, known, found)
    try:
        await uow.rooms.create(made, ())
    except RoomExternalIdTaken:  # by another import, a moment ago
        room = await uow.rooms.find_by_external_id(source.key)
        if room is None:
            raise
        return room
    uow.record(Change(room_id=made.id, kind=EventKind.ROOM_CREATED))
    found.rooms_created += 1
    return made


async def _direct(uow: UnitOfWork, made: Room, source: SourceRoom, ids: Ids, known: Known, found: Found) -> Room:
    """The direct room of a pair: the one they have, when they have one."""
    seats: list[Membership] = []
    for author in source.pair:
        user_id = known.users.get(author.key) or found.users.get(author.key)
        if user_id is None:
            user_id = found.users[author.key] = await accounts.found_or_made(uow, author, ids, known, found)
        seats.append(
            Membership(
                room_id=made.id,
                user_id=user_id,
                tenant_id=made.tenant_id,
                joined_at=made.created_at,
                created_at=uow.now,
                updated_at=uow.now,
            )
        )
    room, is_new = await uow.rooms.open_direct(made, tuple(seats))
    if is_new:
        uow.record(Change(room_id=room.id, kind=EventKind.ROOM_CREATED))
        for seat in seats:
            uow.record(Change(room_id=room.id, kind=EventKind.MEMBER_JOINED, user_id=seat.user_id))
        found.rooms_created += 1
    return room
