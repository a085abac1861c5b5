"""The limits of rooms, and the rules about who sits in them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain import rooms
from app.domain.documents import EMPTY
from app.domain.errors import ChatError, Invalid
from app.domain.identity import AccountType, User
from app.domain.ids import MessageId, RoomId, UserId
from app.domain.pages import InvalidCursor
from app.domain.rooms import NewRoom, Room, RoomChange, RoomStatus, RoomType, members
from app.domain.rooms.members import Membership, MembershipStatus, NotifyLevel, Occupancy, Role
from app.domain.text import key_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ANN, BOB = UserId(UUID(int=1)), UserId(UUID(int=2))
TIMES: dict[str, Any] = {"created_at": NOW, "updated_at": NOW}


def a_room(**fields: Any) -> Room:
    return Room(**{"id": RoomId(UUID(int=9)), "name": "Lounge", **TIMES, **fields})


def a_membership(user_id: UserId = ANN, **fields: Any) -> Membership:
    return Membership(**{"room_id": RoomId(UUID(int=9)), "user_id": user_id, "joined_at": NOW, **TIMES, **fields})


def held(subject: Membership | None = None, *, seats_taken: int = 2, owners: int = 1, **room: Any) -> Occupancy:
    return Occupancy(a_room(**room), actor=None, subject=subject, seats_taken=seats_taken, owners=owners)


# ── limits ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.spec("1.10")
def test_defaults() -> None:
    room = a_room()
    assert (room.room_type, room.status, room.is_private) == (RoomType.GROUP, RoomStatus.ACTIVE, False)
    assert (room.guest_access_allowed, room.max_participants, room.escalation_level) == (True, 50, 1)
    assert (room.settings, room.last_position, room.revision, room.version) == (EMPTY, 0, 0, 1)
    seat = a_membership()
    assert (seat.role, seat.status, seat.notify_level) == (
        Role.MEMBER,
        MembershipStatus.ACTIVE,
        NotifyLevel.ALL,
    )
    assert (seat.can_send_messages, seat.can_invite_others, seat.can_see_history) == (True, False, True)
    new = NewRoom(name="Lounge")
    assert {name: getattr(room, name) for name in NewRoom.model_fields} == dict(new)


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("name", ["x" * 100], ["", "x" * 101, "\u200b", "a\nb", "a\0", "\ud800"]),
        ("description", ["", "x" * 10_000, "two\nlines"], ["x" * 10_001, "a\0"]),
        ("max_participants", [None, 1, 1_000_000], [0, -1, 1_000_001, "many"]),
        ("escalation_level", [1, 100], [0, 101]),
        ("issue_id", [None, "x" * 128], ["x" * 129, "\0"]),
        ("issue_description", ["x" * 10_000], ["x" * 10_001]),
        ("external_id", ["x" * 128], ["x" * 129, "", "\0"]),
        ("settings", [{"a": 1}], [["a"], {"a": float("inf")}]),
        ("room_type", list(RoomType)[2:], ["nonsense"]),
    ],
)
def test_limits(field: str, good: list[object], bad: list[object]) -> None:
    for value in good:
        assert getattr(a_room(**{field: value}), field) == value
        assert getattr(NewRoom(**{"name": "Lounge", field: value}), field) == value  # type: ignore[arg-type]  # any field
    for value in bad:
        for make in (a_room, lambda **fields: NewRoom(**{"name": "Lounge", **fields})):
            with pytest.raises(Invalid) as refused:
                make(**{field: value})
            assert str(refused.value.details["field"]).split(".")[0] == field


def test_only_a_direct_room_has_no_name() -> None:
    assert a_room(name=None, room_type=RoomType.DIRECT).name is None
    for other in set(RoomType) - {RoomType.DIRECT}:
        with pytest.raises(Invalid, match="name"):
            a_room(name=None, room_type=other)
    with pytest.raises(Invalid, match="open_direct"):
        NewRoom(name="Lounge", room_type=RoomType.DIRECT)


@pytest.mark.parametrize("field", ["visible_from", "last_read_position", "delivered_position"])
def test_positions_are_not_negative(field: str) -> None:
    with pytest.raises(Invalid, match=field):
        a_membership(ANN, **{field: -1})


def test_a_change_sets_what_it_names_and_clears_what_may_be_cleared() -> None:
    room = a_room(description="old", max_participants=5)
    changed = RoomChange(name="Bar", description=None, max_participants=None).applied_to(room)
    assert (changed.name, changed.description, changed.max_participants) == ("Bar", None, None)
    assert RoomChange().applied_to(room) == room
    for field in ("name", "is_private", "guest_access_allowed", "settings"):
        with pytest.raises(Invalid, match=f"{field}: cannot be cleared"):
            RoomChange(**{field: None}).applied_to(room)


@given(st.uuids(), st.uuids())
def test_a_direct_key_is_the_pair_whoever_asks(one: UUID, other: UUID) -> None:
    key = rooms.direct_key(UserId(one), UserId(other))
    assert key == rooms.direct_key(UserId(other), UserId(one))
    assert len(key) == 52
    assert (key == rooms.direct_key(UserId(one), UserId(one))) == (one == other)


def test_a_search_prefix_is_compared_like_a_name() -> None:
    assert rooms.name_prefix("Ｌou") == "lou"
    assert rooms.name_prefix("") == rooms.name_prefix("  ") == ""
    with pytest.raises(Invalid, match="prefix"):
        rooms.name_prefix("\u200b")


@given(st.text("abC ,.-ßéﬁ", min_size=1, max_size=100), st.uuids())
def test_a_place_by_name_is_a_name_key_and_an_id(name: str, room_id: UUID) -> None:
    assume(name.strip())
    place = rooms.place_by_name(a_room(id=RoomId(room_id), name=name))
    assert rooms.name_and_id_at(place) == (key_of(name), room_id)


@pytest.mark.parametrize("place", [b"", b"a", b"a" * 16, b"a" * 40, b"a\0b\0" + b"i" * 16, b"\xff\0" + b"i" * 16])
def test_what_is_no_place_by_name(place: bytes) -> None:
    with pytest.raises(InvalidCursor):
        rooms.name_and_id_at(place)


@pytest.mark.parametrize(
    ("fields", "silenced"),
    [
        ({}, False),
        ({"status": "muted"}, True),
        ({"status": "muted", "muted_until": LATER}, True),
        ({"status": "muted", "muted_until": NOW}, False),
        ({"status": "active", "muted_until": LATER}, False),
        ({"can_send_messages": False}, True),
        ({"role": "observer"}, True),
    ],
)
def test_who_is_silenced(fields: dict[str, Any], silenced: bool) -> None:
    assert a_membership(**fields).is_silenced(NOW) is silenced


@pytest.mark.parametrize("status", MembershipStatus)
def test_active_and_muted_members_sit_in_the_room(status: MembershipStatus) -> None:
    assert a_membership(status=status).is_seated is (status.value in {"active", "muted"})


def test_what_is_hidden_from_a_member() -> None:
    assert a_membership(visible_from=7).first_visible == 0
    assert a_membership(visible_from=7, can_see_history=False).first_visible == 7


# ── taking a seat ─────────────────────────────────────────────────────────────────────────────────────────────────

MESSAGE = MessageId(UUID(int=5))


@pytest.mark.spec("3.5")
def test_a_first_seat_starts_reading_at_the_rooms_end() -> None:
    seat = members.seated(held(last_position=4, last_message_id=MESSAGE), ANN, LATER, role=Role.GUEST)
    assert (seat.role, seat.status, seat.can_see_history) == (Role.GUEST, MembershipStatus.ACTIVE, True)
    assert (seat.visible_from, seat.last_read_position, seat.last_read_message_id) == (4, 4, MESSAGE)
    assert (seat.joined_at, seat.created_at, seat.tenant_id) == (LATER, LATER, a_room().tenant_id)


@pytest.mark.parametrize("status", ["left", "removed", "invited"])
def test_a_former_member_starts_anew_and_keeps_what_was_allowed_to_them(status: str) -> None:
    before = a_membership(
        status=status,
        role="owner",
        left_at=NOW,
        can_see_history=False,
        can_send_messages=False,
        last_read_position=1,
    )
    seat = members.seated(held(before, last_position=4, last_message_id=MESSAGE), ANN, LATER)
    assert (seat.role, seat.status, seat.left_at) == (Role.MEMBER, MembershipStatus.ACTIVE, None)
    assert (seat.can_see_history, seat.can_send_messages) == (False, False)
    assert (seat.visible_from, seat.last_read_position, seat.joined_at, seat.created_at) == (4, 4, LATER, NOW)
    assert members.seated(held(before), ANN, LATER, can_see_history=True).can_see_history is True


@pytest.mark.parametrize(
    ("occupancy", "refusal"),
    [
        (held(status="closed"), rooms.RoomNotActive),
        (held(status="archived"), rooms.RoomNotActive),
        (held(name=None, room_type="direct"), members.DirectRoomIsFixed),
        (held(a_membership()), members.AlreadyMember),
        (held(a_membership(status="muted")), members.AlreadyMember),
        (held(a_membership(status="banned")), members.Banned),
        (held(seats_taken=2, max_participants=2), members.RoomIsFull),
        (held(seats_taken=3, max_participants=2), members.RoomIsFull),
    ],
)
def test_who_gets_no_seat(occupancy: Occupancy, refusal: type[ChatError]) -> None:
    with pytest.raises(refusal):
        members.seated(occupancy, ANN, NOW)


def test_the_last_seat_can_be_taken_and_no_limit_is_none() -> None:
    members.seated(held(seats_taken=1, max_participants=2), ANN, NOW)
    members.seated(held(seats_taken=10_000, max_participants=None), ANN, NOW)


# ── giving it up ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [MembershipStatus.LEFT, MembershipStatus.REMOVED])
def test_a_seat_given_up_remembers_when(status: MembershipStatus) -> None:
    before = a_membership(muted_until=LATER, status="muted", last_read_position=3)
    after = members.unseated(held(before), status, LATER)
    assert (after.status, after.left_at, after.muted_until, after.last_read_position) == (
        status,
        LATER,
        LATER,
        3,
    )


@pytest.mark.parametrize(
    ("occupancy", "refusal"),
    [
        (held(None), members.MemberNotFound),
        (held(a_membership(status="left")), members.MemberNotFound),
        (held(a_membership(), name=None, room_type="direct"), members.DirectRoomIsFixed),
        (held(a_membership(role="owner"), owners=1, seats_taken=2), members.LastOwner),
    ],
)
def test_who_cannot_give_it_up(occupancy: Occupancy, refusal: type[ChatError]) -> None:
    with pytest.raises(refusal):
        members.unseated(occupancy, MembershipStatus.LEFT, NOW)


def test_an_owner_leaves_where_another_stays_or_nobody_does() -> None:
    owner = a_membership(role="owner")
    members.unseated(held(owner, owners=2, seats_taken=2), MembershipStatus.LEFT, NOW)
    members.unseated(held(owner, owners=1, seats_taken=1), MembershipStatus.LEFT, NOW)


def test_roles_change_but_one_owner_stays() -> None:
    assert members.with_role(held(a_membership()), Role.ADMIN).role is Role.ADMIN
    owner = a_membership(role="owner")
    assert members.with_role(held(owner, owners=2), Role.MEMBER).role is Role.MEMBER
    assert members.with_role(held(owner, owners=1), Role.OWNER) == owner
    with pytest.raises(members.LastOwner):
        members.with_role(held(owner, owners=1, seats_taken=1), Role.MEMBER)
    with pytest.raises(members.DirectRoomIsFixed):
        members.with_role(held(a_membership(), name=None, room_type="direct"), Role.ADMIN)
    with pytest.raises(members.MemberNotFound):
        members.with_role(held(a_membership(status="removed")), Role.ADMIN)


# ── who is let in ─────────────────────────────────────────────────────────────────────────────────────────────────


def a_user(kind: AccountType) -> User:
    return User(id=ANN, username="ann", account_type=kind, **TIMES)


@pytest.mark.parametrize("kind", AccountType)
@pytest.mark.parametrize("guests", [True, False])
def test_guests_only_where_they_are_let_in(kind: AccountType, guests: bool) -> None:
    room = a_room(guest_access_allowed=guests)
    if kind is AccountType.GUEST and not guests:
        with pytest.raises(members.NoGuests):
            members.require_joinable(room, a_user(kind))
        with pytest.raises(members.NoGuests):
            members.require_guest_access(room, a_user(kind))
    else:
        members.require_joinable(room, a_user(kind))
        members.require_guest_access(room, a_user(kind))


@pytest.mark.parametrize("room_type", RoomType)
@pytest.mark.parametrize("private", [True, False])
def test_only_a_public_group_is_joined_unasked(room_type: RoomType, private: bool) -> None:
    room = a_room(room_type=room_type, is_private=private)
    if room_type is RoomType.GROUP and not private:
        members.require_joinable(room, a_user(AccountType.MEMBER))
    else:
        with pytest.raises(members.RoomIsPrivate):
            members.require_joinable(room, a_user(AccountType.MEMBER))


def test_a_limit_is_not_set_below_the_seats_taken() -> None:
    for enough in (3, 4, None):
        members.require_room_for(held(seats_taken=3), enough)
    with pytest.raises(members.RoomIsFull):
        members.require_room_for(held(seats_taken=3), 2)
