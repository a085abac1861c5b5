"""Bans, silences, rights, ownership, the states of a room and rooms opened from rooms: the pure rules."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.domain import rooms
from app.domain.errors import ChatError, Invalid
from app.domain.ids import RoomId, UserId
from app.domain.rooms import Room, RoomStatus, RoomType, children, members, moderation
from app.domain.rooms.children import NewChild
from app.domain.rooms.members import UNTIL_LIFTED, Membership, MembershipStatus, Occupancy, Role
from app.domain.rooms.moderation import Rights

pytestmark = pytest.mark.spec("3.3")

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ANN, BOB = UserId(UUID(int=1)), UserId(UUID(int=2))
TIMES: dict[str, Any] = {"created_at": NOW, "updated_at": NOW}
S = MembershipStatus


def a_room(**fields: Any) -> Room:
    return Room(**{"id": RoomId(UUID(int=9)), "name": "Lounge", **TIMES, **fields})


def a_membership(user_id: UserId = ANN, **fields: Any) -> Membership:
    return Membership(**{"room_id": RoomId(UUID(int=9)), "user_id": user_id, "joined_at": NOW, **TIMES, **fields})


def held(subject: Membership | None = None, owners: int = 1, actor: Membership | None = None, **room: Any) -> Occupancy:
    return Occupancy(a_room(**room), actor=actor, subject=subject, seats_taken=2, owners=owners)


DIRECT: dict[str, Any] = {"name": None, "room_type": RoomType.DIRECT}


@pytest.mark.parametrize(
    ("status", "until", "silence"),
    [
        (S.ACTIVE, None, None),
        (S.ACTIVE, LATER, None),
        (S.MUTED, None, UNTIL_LIFTED),
        (S.MUTED, LATER, LATER),
        (S.LEFT, None, None),
        (S.LEFT, LATER, LATER),
        (S.BANNED, UNTIL_LIFTED, UNTIL_LIFTED),
    ],
)
def test_how_long_a_member_is_silenced(status: S, until: datetime | None, silence: datetime | None) -> None:
    assert a_membership(status=status, muted_until=until).silence == silence


@pytest.mark.parametrize("status", sorted(set(S) - members.SEATED - {S.BANNED}))
@pytest.mark.parametrize(
    ("kept", "wanted", "until"),
    [
        (None, S.ACTIVE, None),
        (NOW, S.ACTIVE, None),
        (LATER, S.MUTED, LATER),
        (UNTIL_LIFTED, S.MUTED, None),
    ],
)
def test_a_silence_counts_again_with_the_next_seat(
    status: S, kept: datetime | None, wanted: S, until: datetime | None
) -> None:
    again = members.seated(held(a_membership(status=status, muted_until=kept)), ANN, NOW)
    assert (again.status, again.muted_until) == (wanted, until)


def test_a_ban_of_anybody() -> None:
    new = moderation.banned(held(), BOB, "spam", NOW)
    assert (new.user_id, new.status, new.ban_reason, new.left_at) == (BOB, S.BANNED, "spam", NOW)
    for before in (a_membership(), a_membership(status="muted"), a_membership(status="invited")):
        after = moderation.banned(held(before), ANN, None, LATER)
        assert (after.status, after.left_at, after.muted_until) == (S.BANNED, LATER, before.silence)
        assert moderation.banned(held(after), ANN, None, LATER + timedelta(1)) == after
        lifted = moderation.unbanned(held(after))
        assert (lifted.status, lifted.ban_reason, lifted.muted_until) == (S.REMOVED, None, before.silence)


@pytest.mark.parametrize(
    ("occupancy", "refusal"),
    [
        (held(a_membership(role="owner")), members.LastOwner),
        (held(a_membership(), **DIRECT), members.DirectRoomIsFixed),
    ],
)
def test_who_is_not_banned(occupancy: Occupancy, refusal: type[ChatError]) -> None:
    with pytest.raises(refusal):
        moderation.banned(occupancy, ANN, None, NOW)


def test_only_a_ban_has_a_reason_and_is_lifted() -> None:
    for status in set(S) - {S.BANNED}:
        with pytest.raises(Invalid, match="ban_reason"):
            a_membership(status=status, ban_reason="spam")
        with pytest.raises(moderation.BanNotFound):
            moderation.unbanned(held(a_membership(status=status)))
    with pytest.raises(moderation.BanNotFound):
        moderation.unbanned(held())
    assert moderation.banned(held(a_membership(role="owner"), owners=2), ANN, None, NOW).status is S.BANNED


def test_silencing_and_lifting() -> None:
    for until in (None, LATER):
        silenced = moderation.silenced(held(a_membership()), until, NOW)
        assert (silenced.status, silenced.muted_until, silenced.is_silenced(NOW)) == (S.MUTED, until, True)
        assert moderation.heard_again(held(silenced)) == a_membership()
    left = a_membership(status="left", muted_until=LATER)
    assert moderation.heard_again(held(left)) == a_membership(status="left")
    for until in (NOW, NOW - timedelta(1), UNTIL_LIFTED):
        with pytest.raises(Invalid, match="until"):
            moderation.silenced(held(a_membership()), until, NOW)
    with pytest.raises(members.MemberNotFound):
        moderation.silenced(held(left), None, NOW)
    for nobody in (None, a_membership(), a_membership(status="left")):
        with pytest.raises(moderation.SilenceNotFound):
            moderation.heard_again(held(nobody))


def test_rights_not_named_stay() -> None:
    before = a_membership(can_send_messages=False, can_see_history=False)
    assert moderation.with_rights(held(before), Rights()) == before
    changed = moderation.with_rights(held(before), Rights(can_invite_others=True))
    assert changed == before.changed(can_invite_others=True)
    assert moderation.with_rights(held(before), Rights(can_send_messages=True)).can_send_messages
    with pytest.raises(members.DirectRoomIsFixed):
        moderation.with_rights(held(before, **DIRECT), Rights(can_send_messages=True))
    with pytest.raises(members.MemberNotFound):
        moderation.with_rights(held(), Rights())


def test_ownership_is_handed_over() -> None:
    owner, heir = a_membership(role="owner"), a_membership(BOB)
    former, new = members.transferred(held(heir, actor=owner))
    assert (former, new) == (owner.changed(role=Role.ADMIN), heir.changed(role=Role.OWNER))
    for occupancy, refusal in (
        (held(None, actor=owner), members.MemberNotFound),
        (held(a_membership(BOB, status="left"), actor=owner), members.MemberNotFound),
        (held(heir), members.NotAMember),
        (held(heir, actor=owner.changed(status="left")), members.NotAMember),
        (held(heir, actor=owner, **DIRECT), members.DirectRoomIsFixed),
    ):
        with pytest.raises(refusal):
            members.transferred(occupancy)


@pytest.mark.parametrize("before", RoomStatus)
def test_the_states_of_a_room(before: RoomStatus) -> None:
    room = a_room(status=before)
    if before is RoomStatus.CLOSED:
        with pytest.raises(rooms.RoomNotActive):
            rooms.archived(room)
        with pytest.raises(rooms.RoomIsClosed):
            rooms.reopened(room, by_application=False)
    else:
        assert rooms.archived(room).status is RoomStatus.ARCHIVED
        assert rooms.reopened(room, by_application=False).status is RoomStatus.ACTIVE
    assert rooms.reopened(room, by_application=True).status is RoomStatus.ACTIVE


def test_a_child_is_as_its_parent_where_nothing_else_is_said() -> None:
    parent = a_room(guest_access_allowed=False, max_participants=7, issue_id="T-1", issue_description="broken")
    child_id = RoomId(UUID(int=10))
    child = children.child_of(parent, NewChild(name="Up"), child_id, ANN, LATER)
    assert (child.guest_access_allowed, child.max_participants, child.issue_id) == (False, 7, "T-1")
    assert (child.parent_room_id, child.escalation_level, child.created_by) == (parent.id, 2, ANN)
    assert (child.room_type, child.created_at, child.is_private) == (RoomType.ESCALATED, LATER, True)
    other = NewChild(name="Up", guest_access_allowed=True, max_participants=None, issue_id="T-2", is_private=False)
    child = children.child_of(parent, other, child_id, None, LATER)
    assert (child.guest_access_allowed, child.max_participants, child.issue_id) == (True, None, "T-2")
    assert (child.issue_description, child.created_by, child.is_private) == ("broken", None, False)
    deepest = a_room(escalation_level=children.ESCALATION_LEVEL_MAX)
    with pytest.raises(children.EscalatedTooFar):
        children.child_of(deepest, NewChild(name="Up"), child_id, None, NOW)
    with pytest.raises(rooms.RoomNotActive):
        children.child_of(a_room(status="archived"), NewChild(name="Up"), child_id, None, NOW)
