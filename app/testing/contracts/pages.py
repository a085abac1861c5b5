"""What holds of every list that is read in pages, and the two lists of rooms."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from app.domain import ids
from app.domain.errors import Invalid
from app.domain.identity import AccountType
from app.domain.pages import MAX_LIMIT, Cursor, InvalidCursor, Page, sealed
from app.domain.rooms import RoomStatus, RoomType, name_prefix
from app.domain.rooms.members import MembershipStatus
from app.testing.contracts.base import Contract
from app.testing.world import World, user_of

T = TypeVar("T")

BAD_LIMITS: list[Any] = [0, -1, MAX_LIMIT + 1, 10**12, True, 1.5, "50", None]

NO_CURSORS = [
    "",
    "x",
    "=",
    "====",
    "no cursor",
    "\x00",
    "\ud800",
    "é",
    "A" * 5000,
    urlsafe_b64encode(b"\0" * 22).decode(),
]
"""Text that never was a cursor of anything."""


def damaged(cursor: Cursor) -> list[str]:
    """What becomes of a cursor on a bad road: cut, grown, padded, with one character changed."""
    flipped = [cursor[:n] + ("A" if cursor[n] != "A" else "B") + cursor[n + 1 :] for n in (0, 9, len(cursor) - 1)]
    return [
        cursor[:-1],
        cursor[1:],
        cursor[: len(cursor) // 2],
        cursor + "A",
        cursor + "=",
        " " + cursor,
        *flipped,
    ]


def forged(listing: str) -> list[Cursor]:
    """Well sealed, for the right list, and no place in it."""
    keys = [b"", b"\0", b"short", b"x" * 15, b"x" * 17, b"\xff" * 40, b"\xff\xfe\0" + b"x" * 16, b"a\0b\0" + b"x" * 16]
    return [sealed(listing, key) for key in keys]


async def walk(turn: Callable[[Cursor | None], Awaitable[Page[T]]], limit: int) -> list[T]:
    """All items of a list read forward, page by page; each page but the last is full."""
    page = await turn(None)
    assert page.older is None
    found = list(page.items)
    while page.newer is not None:
        assert len(page.items) == limit
        page = await turn(page.newer)
        assert page.items
        assert not any(item in found for item in page.items), "a page repeats what was read before"
        found += page.items
    return found


@pytest.mark.spec("2.5", "3.3")
class MembersContract(Contract):
    """The member list: who sits in the room, by user id."""

    @pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, MAX_LIMIT])
    async def test_pages_cover_every_member_once(self, world: World, limit: int) -> None:
        people = await world.persons(7)
        room_id = await world.room(*reversed(people))
        members = world.reader(people[0]).rooms.members
        found = await walk(lambda cursor: members(room_id, cursor, limit), limit)
        assert [p.user.id for p in found] == sorted(user_of(a) for a in people)
        for participant in found:
            assert participant.user == await world.reader().users.find_by_id(participant.user.id)
            assert participant.membership.user_id == participant.user.id
            assert participant.membership.room_id == room_id

    @pytest.mark.parametrize("status", MembershipStatus)
    async def test_only_who_sits_is_listed(self, world: World, status: MembershipStatus) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        await world.change_membership(room_id, bob, status=status)
        page = await world.reader().rooms.members(room_id, None, 10)
        sits = status in (MembershipStatus.ACTIVE, MembershipStatus.MUTED)
        assert [p.user.id for p in page.items] == sorted([user_of(ann), user_of(bob)] if sits else [user_of(ann)])

    async def test_who_comes_and_goes_meanwhile_disturbs_nobody_else(self, world: World) -> None:
        people = sorted(await world.persons(6), key=user_of)
        room_id = await world.room(*people[:5])
        members = world.reader().rooms.members
        first = await members(room_id, None, 2)
        await world.leave(room_id, people[1])  # the row the cursor was made from
        await world.join(room_id, people[5])
        second = await members(room_id, first.newer, 10)
        assert [p.user.id for p in second.items] == [user_of(a) for a in people[2:]]

    async def test_bad_cursors(self, world: World) -> None:
        people = await world.persons(3)
        room_id, other = await world.room(*people), await world.room(*people)
        async with world.unit(people[0]) as uow:
            for rooms in (world.reader(people[0]).rooms, uow.rooms):
                cursor = (await rooms.members(room_id, None, 1)).newer
                assert cursor is not None
                listing = f"members:{ids.ulid(room_id)}"
                for bad in (*NO_CURSORS, *damaged(cursor), *forged(listing)):
                    with pytest.raises(InvalidCursor):
                        await rooms.members(room_id, Cursor(bad), 1)
                with pytest.raises(InvalidCursor):
                    await rooms.members(other, cursor, 1)
                assert len((await rooms.members(room_id, cursor, 5)).items) == 2

    @pytest.mark.parametrize("limit", BAD_LIMITS)
    async def test_bad_limits(self, world: World, limit: Any) -> None:
        room_id = await world.room(await world.person())
        with pytest.raises(Invalid) as refused:
            await world.reader().rooms.members(room_id, None, limit)
        assert refused.value.details["field"] == "limit"


@pytest.mark.spec("2.4", "3.3")
class BrowseContract(Contract):
    """Public rooms by the beginning of their name."""

    async def test_only_public_active_groups_of_the_tenant(self, world: World) -> None:
        ann = await world.person()
        shown = await world.room(name="Lounge")
        await world.room(name="Lounge private", is_private=True)
        await world.room(name="Lounge archived", status=RoomStatus.ARCHIVED)
        await world.room(name="Lounge closed", status=RoomStatus.CLOSED)
        await world.room(name="Lounge support", room_type=RoomType.SUPPORT)
        await world.room(name="Lounge escalated", room_type=RoomType.ESCALATED)
        await world.room(name="Kitchen")
        guest = await world.person(account_type=AccountType.GUEST)
        for actor in (ann, guest, world.system):
            assert (await world.reader(actor).rooms.browse("lounge", None, 10)).items == (await world.find_room(shown),)
        assert (await (await World.new(world.harness)).reader().rooms.browse("", None, 10)).items == ()

    @pytest.mark.parametrize(
        "prefix",
        ["", "l", "Lo", "LOUNGE", "\uff2cou", "lou\u200bnge", "lounge %", "a_", "a\\", "ß", "é", "zz"],
    )
    async def test_names_are_compared_by_their_key(self, world: World, prefix: str) -> None:
        names = [
            "Lounge",
            "lounge % of us",
            "loungeX",
            "A_b",
            "aXb",
            "a\\b",
            "Straße",
            "ssh",
            "É",
            "e\u0301a",
            "Lo",
            "日本",
        ]
        for name in names:
            await world.room(name=name)
        page = await world.reader().rooms.browse(prefix, None, MAX_LIMIT)
        found = [r.name for r in page.items if r.name is not None]
        wanted = [n for n in names if name_prefix(n).startswith(name_prefix(prefix))]
        assert sorted(found) == sorted(wanted)
        keys = [(name_prefix(r.name or ""), r.id) for r in page.items]
        assert keys == sorted(keys), "by key in the order of code points, then id"

    @pytest.mark.parametrize("limit", [1, 2, 3, 9, MAX_LIMIT])
    async def test_pages_cover_every_room_once(self, world: World, limit: int) -> None:
        rooms = [await world.room(name=name) for name in ("b", "B", "ab", "a", "\uff41", "a b", "c", "ba", "A")]
        browse = world.reader().rooms.browse
        found = await walk(lambda cursor: browse("", cursor, limit), limit)
        assert sorted(r.id for r in found) == sorted(rooms)
        keys = [(name_prefix(r.name or ""), r.id) for r in found]
        assert keys == sorted(keys)
        some = await walk(lambda cursor: browse("A", cursor, limit), limit)
        assert [r.id for r in some] == [r.id for r in found if name_prefix(r.name or "").startswith("a")]

    async def test_what_is_renamed_meanwhile_disturbs_no_other_room(self, world: World) -> None:
        rooms = [await world.room(name=name) for name in "abcd"]
        browse = world.reader().rooms.browse
        first = await browse("", None, 2)
        await world.change_room(rooms[1], name="zz")
        await world.change_room(rooms[0], status=RoomStatus.CLOSED)
        second = await browse("", first.newer, 10)
        assert [r.id for r in second.items] == [rooms[2], rooms[3], rooms[1]]

    async def test_bad_cursors(self, world: World) -> None:
        for name in "abc":
            await world.room(name=f"room {name}")
        async with world.unit() as uow:
            for rooms in (world.reader().rooms, uow.rooms):
                cursor = (await rooms.browse("room", None, 1)).newer
                assert cursor is not None
                for bad in (*NO_CURSORS, *damaged(cursor), *forged("browse:room")):
                    with pytest.raises(InvalidCursor):
                        await rooms.browse("room", Cursor(bad), 1)
                with pytest.raises(InvalidCursor):
                    await rooms.browse("r", cursor, 1)
                assert len((await rooms.browse("ROOM", cursor, 5)).items) == 2

    @pytest.mark.parametrize("limit", BAD_LIMITS)
    async def test_bad_limits(self, world: World, limit: Any) -> None:
        with pytest.raises(Invalid) as refused:
            await world.reader().rooms.browse("", None, limit)
        assert refused.value.details["field"] == "limit"

    async def test_bad_prefixes(self, world: World) -> None:
        await world.room(name="Lounge")
        browse = world.reader().rooms.browse
        for invisible in ("\u200b", "\ud800", "x" * 5000):
            with pytest.raises(Invalid) as refused:
                await browse(invisible, None, 10)
            assert refused.value.details["field"] == "prefix"
        assert (await browse("l\x00", None, 10)).items == (), "no name has a NUL"
