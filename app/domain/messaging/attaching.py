"""What putting something on a message, or taking it off again, is judged by: reactions and pins (SPEC 2.8, 2.20).

Both leave the message as it is, so the rules are not those of an edit; and both say something to the room, so who may
not write there may not do it either.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.identity import AccountInactive
from app.domain.rooms import RoomNotActive, RoomNotFound, RoomStatus
from app.domain.rooms.members import Membership, NotAMember
from app.domain.values import Moment

from . import Message, MessageNotFound, Silenced
from .rules import Rule, may_see


@dataclass(frozen=True, slots=True)
class AttachFacts:
    """A missing room or membership is None, and so is a message that is missing, deleted or hidden from the actor."""

    now: Moment
    room_status: RoomStatus | None
    by_application: bool
    membership: Membership | None
    account_is_barred: bool
    message: Message | None
    fits: bool = True
    """False when a bound on the number of such things has been reached; what is there already always fits."""


def _seated(facts: AttachFacts) -> bool:
    return facts.by_application or (facts.membership is not None and facts.membership.is_seated)


def _heard(facts: AttachFacts) -> bool:
    return facts.by_application or (facts.membership is not None and not facts.membership.is_silenced(facts.now))


def _found(facts: AttachFacts) -> bool:
    message = facts.message
    return message is not None and message.deleted_at is None and may_see(message, facts.membership)


BEFORE_ATTACHING: tuple[Rule[AttachFacts], ...] = (
    Rule("the room exists", lambda f: f.room_status is not None, RoomNotFound),
    Rule("the room is active", lambda f: f.room_status is RoomStatus.ACTIVE, RoomNotActive),
    Rule("the actor sits in the room", _seated, NotAMember),
    Rule("the account is in good standing", lambda f: not f.account_is_barred, AccountInactive),
)

NOT_SILENCED: Rule[AttachFacts] = Rule("the actor is not silenced", _heard, Silenced)
MESSAGE_IS_THERE: Rule[AttachFacts] = Rule("the message is there", _found, MessageNotFound)
