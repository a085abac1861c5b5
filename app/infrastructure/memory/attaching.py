"""What reactions and pins share in memory: who looks, holding the room, judging."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from app.domain.ids import MessageId, RoomId
from app.domain.messaging import Message, MessageNotFound
from app.domain.messaging.attaching import AttachFacts
from app.domain.messaging.rules import Rule, judge, may_see
from app.domain.rooms import Room, RoomStatus
from app.domain.rooms.members import Membership

from .identity import known_account
from .rooms import locked_room, locked_seat, require_room, require_seat
from .tables import MESSAGES, View
from .transaction import Reads, Transaction


def looking_seat(reads: Reads, view: View, room_id: RoomId) -> Membership | None:
    """The acting member's seat; None for the application. Raises `RoomNotFound`, `NotAMember`."""
    require_room(view, reads.actor.tenant_id, room_id)
    return None if reads.actor.user_id is None else require_seat(view, room_id, reads.actor.user_id)


def live_message(view: View, room_id: RoomId, message_id: MessageId, seat: Membership | None) -> Message | None:
    """The message as long as it is not deleted and may be seen from the seat."""
    message = view.get(MESSAGES, (room_id, message_id))
    if message is None or message.deleted_at is not None or not may_see(message, seat):
        return None
    return message


def require_message(view: View, room_id: RoomId, message_id: MessageId, seat: Membership | None) -> Message:
    """As `live_message`. Raises `MessageNotFound`."""
    message = live_message(view, room_id, message_id, seat)
    if message is None:
        raise MessageNotFound(message_id=str(message_id))
    return message


async def held_room(
    tx: Transaction,
    room_id: RoomId,
    message_id: MessageId,
    rules: Sequence[Rule[AttachFacts]],
    fits: Callable[[View], bool] = lambda _: True,
) -> Room:
    """The locked room, once every rule has held."""
    user_id = tx.actor.user_id
    room = await locked_room(tx, room_id)
    membership = None
    if room is not None and room.status is RoomStatus.ACTIVE and user_id is not None:
        membership = await locked_seat(tx, room_id, user_id)
    account = None if user_id is None else known_account(tx.view, tx.actor.tenant_id, user_id)
    facts = AttachFacts(
        now=tx.now,
        room_status=None if room is None else room.status,
        by_application=user_id is None,
        membership=membership,
        account_is_barred=account is not None and account.is_barred,
        message=tx.view.get(MESSAGES, (room_id, message_id)),
        fits=fits(tx.view),
    )
    judge(rules, facts)
    return cast(Room, room)  # the first rule has held
