"""Who may do what with a file, as pure decisions the memory adapter calls and sql/files.sql states (SPEC 3.9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.access import Facts, Permission, can
from app.domain.grants import Standing
from app.domain.identity import AccountInactive
from app.domain.ids import RoomId, UserId
from app.domain.rooms import RoomNotActive, RoomNotFound, RoomStatus
from app.domain.rooms.members import Membership, NotAMember
from app.domain.values import Moment

from . import File, FileNotFound, FileStatus, NotTheFilesOwner


@dataclass(frozen=True, slots=True)
class Place:
    """A room as someone acts in it: a missing room or membership is None, `by_application` asks for neither."""

    now: Moment
    by_application: bool
    room_status: RoomStatus | None
    membership: Membership | None
    account_is_barred: bool
    standing: Standing | None = None
    """The acting person's in this room."""
    lets_guests_in: bool = True


def require_place(place: Place) -> None:
    """What changing anything in a room asks for. Raises `RoomNotFound`, `RoomNotActive`, `NotAMember`,
    `AccountInactive`, in this order."""
    if place.room_status is None:
        raise RoomNotFound
    if place.room_status is not RoomStatus.ACTIVE:
        raise RoomNotActive
    if place.by_application:
        return
    if place.membership is None or not place.membership.is_seated:
        raise NotAMember
    if place.account_is_barred:
        raise AccountInactive


def offered(file: File | None, room_id: RoomId, sender: UserId | None) -> File | None:
    """A file that a send names, unless the sender cannot mean it: unknown, deleted, another's or of another room."""
    if file is None or file.deleted_at is not None or file.room_id != room_id or file.owner_id != sender:
        return None
    return file


def are_offered(files: Sequence[File | None]) -> bool:
    return None not in files


def are_ready(files: Sequence[File | None]) -> bool:
    return all(file is None or file.status is FileStatus.READY for file in files)


def are_unattached(files: Sequence[File | None]) -> bool:
    return all(file is None or file.message_id is None for file in files)


def may_see_file(file: File, actor: UserId | None, *, message_is_visible: bool) -> bool:
    """Before it is attached its owner sees a file, afterwards whoever sees its message; the application sees all."""
    if file.deleted_at is not None:
        return False
    if actor is None:
        return True
    return message_is_visible if file.message_id is not None else file.owner_id == actor


def require_alterable(
    file: File | None, actor: UserId | None, place: Place, *, message_is_visible: bool, is_deletion: bool
) -> None:
    """A file that hangs on a message is changed as the message is: in an active room, by who sees it there.

    Raises `FileNotFound`, the refusals of `require_place` but for a room or seat that is missing, `NotTheFilesOwner`.
    """
    if file is None or not may_see_file(file, actor, message_is_visible=message_is_visible):
        raise FileNotFound
    if file.message_id is not None:
        require_place(place)
    elif place.account_is_barred:
        raise AccountInactive
    if actor is None or file.owner_id == actor:
        return
    if not is_deletion or place.standing is None:
        raise NotTheFilesOwner
    asked = Facts(place.standing, in_room=True, membership=place.membership, lets_guests_in=place.lets_guests_in)
    if not can(asked, Permission.DELETE_ANY_FILE).allowed:
        raise NotTheFilesOwner
