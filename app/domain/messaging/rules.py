"""What may be sent, edited and deleted stands here once, as tables read from top to bottom (SPEC 3.4).

The first rule that does not hold names the refusal. The memory adapter calls them, PostgreSQL's functions state them in
the same order, and the contract suite breaks each rule, and each pair of rules, on every adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.domain.access import GRANTED, Facts, NotAllowed, Permission, can
from app.domain.blocks import Blocked
from app.domain.errors import ChatError
from app.domain.files import File, FileAlreadyAttached, FileNotFound, FileNotReady
from app.domain.files.rules import are_offered, are_ready, are_unattached
from app.domain.grants import Standing
from app.domain.identity import AccountInactive, AccountType, UserNotFound
from app.domain.ids import MessageId, UserId
from app.domain.rooms import RoomNotActive, RoomNotFound, RoomStatus, StaleVersion
from app.domain.rooms.members import Membership, NotAMember, Role
from app.domain.values import Moment

from . import (
    MAY_BE_EMPTY,
    ClientKeyReused,
    DeliveryStatus,
    Draft,
    EmptyContent,
    Message,
    MessageNotFound,
    MessageType,
    NotAThread,
    NotTheAuthor,
    ReplyTargetNotFound,
    Silenced,
    StillStreaming,
    ThreadNotFound,
    WrongMessageType,
    thread_of,
)
from .mentions import Mentions

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Rule(Generic[F]):
    """One line of a decision table."""

    name: str
    holds: Callable[[F], bool]
    refusal: type[ChatError]


def judge(rules: Sequence[Rule[F]], facts: F) -> None:
    """Raises the refusal of the first rule that does not hold."""
    for rule in rules:
        if not rule.holds(facts):
            raise rule.refusal()


@dataclass(frozen=True, slots=True)
class SendFacts:
    """What a send is judged by. A missing room, membership or message is None."""

    draft: Draft
    now: Moment
    room_status: RoomStatus | None
    key_was_used_for_another: bool
    by_application: bool
    membership: Membership | None
    account_is_barred: bool
    account_type: AccountType | None
    thread: Message | None
    """The first message of the thread the draft goes to (`thread_to_join`)."""
    reply_to: Message | None
    response_to: Message | None
    robot_is_known: bool
    is_blocked: bool = False
    """The room is direct, and one of its two has blocked the other."""
    files: tuple[File | None, ...] = ()
    """What `file_ids` name, None for what the sender cannot mean (`files.rules.offered`)."""


@dataclass(frozen=True, slots=True)
class AlterFacts:
    """What an edit or a delete is judged by. `message` is None when missing, deleted or hidden from the actor."""

    now: Moment
    room_status: RoomStatus | None
    by_application: bool
    user_id: UserId | None
    membership: Membership | None
    account_is_barred: bool
    message: Message | None
    expected_version: int | None = None
    content: str = ""
    has_files: bool = False
    mentions: Mentions | None = None
    standing: Standing | None = None
    """The acting person's in this room."""
    lets_guests_in: bool = True


def may_see(message: Message, membership: Membership | None) -> bool:
    """Whether a member (None: the application) sees a message: by when they joined, a robot's also by its own flag."""
    if membership is None:
        return True
    if message.position <= membership.first_visible:
        return False
    hidden = message.message_type is MessageType.ROBOT and not message.is_robot_visible_to_guests
    return not (hidden and membership.role is Role.GUEST)


def may_see_versions(message: Message, membership: Membership | None) -> bool:
    """What a message said before is for whoever sees it; what a deleted one said, for who may delete any."""
    if not may_see(message, membership):
        return False
    return message.deleted_at is None or membership is None or Permission.DELETE_ANY_MESSAGE in GRANTED[membership.role]


def _found(message: Message | None, membership: Membership | None) -> bool:
    return message is not None and message.deleted_at is None and may_see(message, membership)


def thread_to_join(draft: Draft, reply_to: Message | None, membership: Membership | None) -> MessageId | None:
    """As `thread_of`; what one replies to without seeing it leads nowhere."""
    return thread_of(draft, reply_to if _found(reply_to, membership) else None)


def _seated(by_application: bool, membership: Membership | None) -> bool:
    return by_application or (membership is not None and membership.is_seated)


def _heard(by_application: bool, membership: Membership | None, now: Moment) -> bool:
    return by_application or (membership is not None and not membership.is_silenced(now))


def require_heard(by_application: bool, membership: Membership | None, now: Moment) -> None:
    """For what is said without a draft. Raises `Silenced`."""
    if not _heard(by_application, membership, now):
        raise Silenced


def _may_write_type(facts: SendFacts) -> bool:
    match facts.draft.message_type:
        case MessageType.SYSTEM:
            return facts.by_application
        case MessageType.ROBOT:
            return facts.by_application or facts.account_type is AccountType.ROBOT
        case _:
            return not facts.by_application


def _may_mention(mentions: Mentions | None, by_application: bool, membership: Membership | None) -> bool:
    if mentions is None or not mentions.calls_everybody or by_application:
        return True
    # By the seat alone: no send looks grants up.
    return membership is not None and (
        membership.role is Role.OBSERVER or Permission.MENTION_ALL in GRANTED[membership.role]
    )


def _may_delete(facts: AlterFacts) -> bool:
    if facts.by_application or facts.message is None or facts.membership is None:
        return facts.by_application
    own = facts.message.user_id is not None and facts.message.user_id == facts.user_id
    if own or facts.standing is None:
        return own
    asked = Facts(facts.standing, in_room=True, membership=facts.membership, lets_guests_in=facts.lets_guests_in)
    return can(asked, Permission.DELETE_ANY_MESSAGE).allowed


SEND_RULES: tuple[Rule[SendFacts], ...] = (
    Rule("the room exists", lambda f: f.room_status is not None, RoomNotFound),
    Rule("the key is new or repeats its message", lambda f: not f.key_was_used_for_another, ClientKeyReused),
    Rule("the room is active", lambda f: f.room_status is RoomStatus.ACTIVE, RoomNotActive),
    Rule("the sender sits in the room", lambda f: _seated(f.by_application, f.membership), NotAMember),
    Rule("the account is in good standing", lambda f: not f.account_is_barred, AccountInactive),
    Rule("the sender is not silenced", lambda f: _heard(f.by_application, f.membership, f.now), Silenced),
    Rule("nobody in a direct room has blocked the other", lambda f: not f.is_blocked, Blocked),
    Rule("the type is the sender's to send", _may_write_type, WrongMessageType),
    Rule(
        "everybody is the sender's to call",
        lambda f: _may_mention(f.draft.mentions, f.by_application, f.membership),
        NotAllowed,
    ),
    Rule(
        "the thread's first message is there",
        lambda f: thread_to_join(f.draft, f.reply_to, f.membership) is None or _found(f.thread, f.membership),
        ThreadNotFound,
    ),
    Rule("the thread is no answer", lambda f: f.thread is None or f.thread.thread_id is None, NotAThread),
    Rule(
        "the message replied to is there",
        lambda f: f.draft.reply_to_message_id is None or _found(f.reply_to, f.membership),
        ReplyTargetNotFound,
    ),
    Rule(
        "the message a robot answers is there",
        lambda f: f.draft.robot_response_to is None or _found(f.response_to, f.membership),
        ReplyTargetNotFound,
    ),
    Rule("the robot is known", lambda f: f.draft.robot_id is None or f.robot_is_known, UserNotFound),
    Rule("the files are the sender's, in this room", lambda f: are_offered(f.files), FileNotFound),
    Rule("the files are ready", lambda f: are_ready(f.files), FileNotReady),
    Rule("the files stand in no message", lambda f: are_unattached(f.files), FileAlreadyAttached),
)

BEFORE_ALTERING: tuple[Rule[AlterFacts], ...] = (
    Rule("the room exists", lambda f: f.room_status is not None, RoomNotFound),
    Rule("the room is active", lambda f: f.room_status is RoomStatus.ACTIVE, RoomNotActive),
    Rule("the actor sits in the room", lambda f: _seated(f.by_application, f.membership), NotAMember),
    Rule("the account is in good standing", lambda f: not f.account_is_barred, AccountInactive),
)

MESSAGE_IS_THERE: Rule[AlterFacts] = Rule(
    "the message is there", lambda f: _found(f.message, f.membership), MessageNotFound
)

EDIT_RULES: tuple[Rule[AlterFacts], ...] = (
    *BEFORE_ALTERING,
    Rule("the actor is not silenced", lambda f: _heard(f.by_application, f.membership, f.now), Silenced),
    MESSAGE_IS_THERE,
    Rule("the actor wrote it", lambda f: f.message is not None and f.message.user_id == f.user_id, NotTheAuthor),
    Rule(
        "it is not being written",
        lambda f: f.message is not None and f.message.delivery_status is not DeliveryStatus.STREAMING,
        StillStreaming,
    ),
    Rule(
        "it is the version the actor saw",
        lambda f: f.message is not None and f.expected_version in (None, f.message.version),
        StaleVersion,
    ),
    Rule(
        "it still says something",
        lambda f: bool(f.content) or (f.message is not None and f.message.message_type in MAY_BE_EMPTY and f.has_files),
        EmptyContent,
    ),
    Rule(
        "everybody is the author's to call",
        lambda f: _may_mention(f.mentions, f.by_application, f.membership),
        NotAllowed,
    ),
)

DELETE_RULES: tuple[Rule[AlterFacts], ...] = (
    *BEFORE_ALTERING,
    MESSAGE_IS_THERE,
    Rule("the actor wrote it or moderates", _may_delete, NotTheAuthor),
)
