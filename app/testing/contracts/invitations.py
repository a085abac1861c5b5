"""The contract of `Invitations`: whom a seat is offered, and when the offer has ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.domain.actors import Actor
from app.domain.errors import Conflict, Invalid
from app.domain.identity import TenantNotFound, UserNotFound
from app.domain.ids import InvitationId, RoomId, ulid
from app.domain.invitations import (
    AlreadyInvited,
    Invitation,
    InvitationNotFound,
    InvitationStatus,
    Invited,
    closed,
    token_hash,
    used,
)
from app.domain.pages import Cursor, InvalidCursor, Page
from app.domain.rooms import RoomNotFound
from app.domain.rooms.members import MembershipStatus, Role
from app.testing import builders
from app.testing.contracts.base import Contract
from app.testing.contracts.pages import BAD_LIMITS, NO_CURSORS, damaged, forged, walk
from app.testing.world import NO_ROOM, NOBODY, World, user_of

HASH = token_hash("a token")


async def invited(
    world: World, room_id: RoomId, person: Actor | None = None, by: str | None = None, **fields: Any
) -> Invitation:
    """An invitation of a person, whose membership says so, or with a token of its own."""
    user_id = None if person is None else user_of(person)
    made = builders.invitation(room_id, world.tenant.id, user_id=user_id, **fields)
    hashed = None if person is not None else token_hash(by or builders.unique("token"))
    async with world.unit() as uow:
        await uow.rooms.hold(room_id, user_id or NOBODY)
        await uow.invitations.create(made, hashed)
        if user_id is not None:
            seat = builders.membership(room_id, user_id, world.tenant.id, status=MembershipStatus.INVITED)
            await uow.rooms.put_membership(seat)
        await uow.commit()
    return made


async def saved(world: World, invitation: Invitation) -> None:
    async with world.unit() as uow:
        await uow.rooms.hold(invitation.room_id, NOBODY)
        await uow.invitations.save(invitation)
        await uow.commit()


async def find(world: World, invitation: Invitation) -> Invitation:
    found = await world.reader().invitations.find(invitation.id)
    assert found is not None
    return found


@pytest.mark.spec("2.20", "3.3")
class InvitationsContract(Contract):
    """Invitations are stored, found, used and closed."""

    async def test_what_is_created_is_found(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann)
        at = world.harness.clock() + timedelta(days=1)
        made = [
            await invited(world, room_id, bob, role=Role.MODERATOR, max_uses=1, invited_by=user_of(ann)),
            await invited(world, room_id, email_key="bob@example.org", max_uses=1, expires_at=at),
            await invited(world, room_id, by="a token", max_uses=3),
        ]
        for invitation in made:
            assert await find(world, invitation) == invitation
            async with world.unit(ann) as uow:
                assert await uow.invitations.find(invitation.id) == invitation
        reader = world.reader(bob).invitations
        assert await reader.find_by_token(HASH) == made[2]
        assert await reader.find_by_token(token_hash("another")) is None
        assert await reader.find(InvitationId(builders.new_id())) is None
        page = await reader.find_by_room(room_id, world.harness.clock(), None, 10)
        assert page == Page(tuple(made))

    async def test_other_tenants_and_deleted_rooms_have_none(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room()
        made = await invited(world, room_id, ann)
        link = await invited(world, room_id, by="a token")
        now = world.harness.clock()
        stranger = await World.new(world.harness)
        assert await stranger.reader().invitations.find(made.id) is None
        assert await stranger.reader().invitations.find_by_token(HASH) is None
        assert (await stranger.reader().invitations.find_by_room(room_id, now, None, 10)).items == ()
        async with stranger.unit() as uow:
            with pytest.raises(InvitationNotFound):
                await uow.invitations.save(link.changed(tenant_id=stranger.tenant.id, uses=1))
            await uow.invitations.close(room_id, user_of(ann), InvitationStatus.REVOKED)
            assert await uow.invitations.expire(10) == ()
            await uow.commit()
        assert await find(world, made) == made
        await world.change_room(room_id, deleted_at=now)
        reader = world.reader(ann).invitations
        assert await reader.find(made.id) is None
        assert await reader.find_by_token(HASH) is None
        assert (await reader.find_by_room(room_id, now, None, 10)).items == ()
        assert (await reader.find_mine(now, None, 10)).items == ()

    async def test_one_open_invitation_of_a_user_or_address_into_a_room(self, world: World) -> None:
        bob, cid = await world.persons(2)
        one, other = await world.room(), await world.room()
        first = await invited(world, one, bob)
        await invited(world, one, email_key="b@example.org")
        for room_id, person, address in ((one, cid, None), (other, bob, None), (other, None, "b@example.org")):
            await invited(world, room_id, person, email_key=address)
        await invited(world, one)
        await invited(world, one)
        with pytest.raises(AlreadyInvited):
            await invited(world, one, bob)
        with pytest.raises(AlreadyInvited):
            await invited(world, one, email_key="b@example.org")
        await saved(world, closed(first, InvitationStatus.DECLINED, world.harness.clock()))
        await invited(world, one, bob)

    async def test_one_that_has_run_out_makes_room_for_another(self, world: World) -> None:
        bob = await world.person()
        room_id = await world.room()
        at = world.harness.clock() + timedelta(seconds=10)
        old = [
            await invited(world, room_id, bob, expires_at=at),
            await invited(world, room_id, email_key="b@example.org", expires_at=at),
        ]
        world.harness.clock.advance(9)
        with pytest.raises(AlreadyInvited):
            await invited(world, room_id, bob)
        now = world.harness.clock.advance(1)
        new = [await invited(world, room_id, bob), await invited(world, room_id, email_key="b@example.org")]
        for invitation in old:
            assert await find(world, invitation) == invitation.changed(status=InvitationStatus.EXPIRED, updated_at=now)
        assert (await world.reader().invitations.find_by_room(room_id, now, None, 10)).items == tuple(new)

    async def test_refusals_write_nothing(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        elsewhere = await World.new(world.harness)
        theirs, stranger = await elsewhere.room(), await elsewhere.person()
        made = builders.invitation(room_id, world.tenant.id)
        await invited(world, room_id, by="a token")
        cases: list[tuple[dict[str, Any], str | None, type[Exception]]] = [
            ({"room_id": NO_ROOM}, "x", RoomNotFound),
            ({"room_id": theirs}, "x", RoomNotFound),
            ({"user_id": NOBODY}, None, UserNotFound),
            ({"user_id": user_of(stranger)}, None, UserNotFound),
            ({"invited_by": NOBODY}, "x", UserNotFound),
            ({"tenant_id": elsewhere.tenant.id}, "x", TenantNotFound),
        ]
        async with world.unit() as uow:
            await uow.rooms.hold(room_id, NOBODY)
            for fields, token, refusal in cases:
                hashed = None if token is None else token_hash(token)
                with pytest.raises(refusal):
                    await uow.invitations.create(made.changed(**fields), hashed)
            with pytest.raises(InvitationNotFound):
                await uow.invitations.save(made)
            await uow.invitations.create(made, token_hash("x"))
            with pytest.raises(Conflict):
                await uow.invitations.create(made, token_hash("y"))
            await uow.commit()
        assert await find(world, made) == made

    async def test_saving_stores_what_became_of_it(self, world: World) -> None:
        room_id = await world.room()
        made = await invited(world, room_id, max_uses=2)
        now = world.harness.clock.advance()
        once = used(made, now)
        await saved(world, once.changed(role=Role.OWNER))
        assert await find(world, made) == once
        twice = used(once, now)
        await saved(world, twice)
        assert (await find(world, made)).status is InvitationStatus.ACCEPTED
        assert (await world.reader().invitations.find_by_room(room_id, now, None, 10)).items == ()

    @pytest.mark.parametrize("status", [InvitationStatus.ACCEPTED, InvitationStatus.REVOKED])
    async def test_closing_the_open_one_of_a_user(self, world: World, status: InvitationStatus) -> None:
        bob, cid = await world.persons(2)
        room_id, other = await world.room(), await world.room()
        kept = [await invited(world, room_id, cid), await invited(world, other, bob)]
        made = await invited(world, room_id, bob, max_uses=1)
        now = world.harness.clock.advance()
        async with world.unit() as uow:
            await uow.rooms.hold(room_id, user_of(bob))
            await uow.invitations.close(room_id, user_of(bob), status)
            await uow.invitations.close(room_id, NOBODY, status)
            await uow.commit()
        revoked_at = now if status is InvitationStatus.REVOKED else None
        uses = 1 if status is InvitationStatus.ACCEPTED else 0
        assert await find(world, made) == made.changed(status=status, uses=uses, revoked_at=revoked_at, updated_at=now)
        assert [await find(world, invitation) for invitation in kept] == kept
        async with world.unit() as uow:
            await uow.invitations.close(room_id, user_of(bob), InvitationStatus.REVOKED)
            await uow.commit()
        assert (await find(world, made)).status is status, "a closed one stays as it is"

    # ── mine ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize("verified", [True, False])
    async def test_mine_are_by_id_and_by_verified_address(self, world: World, verified: bool) -> None:
        ann = await world.person()
        bob = await world.person(email="Ｂob@Example.org", is_email_verified=verified)
        rooms = [await world.room() for _ in range(4)]
        at = world.harness.clock() + timedelta(seconds=5)
        mine = [
            await invited(world, rooms[0], bob, expires_at=at),
            await invited(world, rooms[1], email_key="bob@example.org"),
        ]
        await invited(world, rooms[2], ann)
        await invited(world, rooms[2])
        done = await invited(world, rooms[3], bob)
        await saved(world, closed(done, InvitationStatus.DECLINED, world.harness.clock()))
        wanted = [Invited(i, await world.find_room(i.room_id)) for i in (mine if verified else mine[:1])]
        reader = world.reader(bob).invitations
        assert await reader.find_mine(world.harness.clock(), None, 10) == Page(tuple(wanted))
        assert await reader.find_mine(at, None, 10) == Page(tuple(wanted[1:]))
        with pytest.raises(Invalid) as refused:
            await world.reader().invitations.find_mine(at, None, 10)
        assert refused.value.details["field"] == "actor"

    # ── pages ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize("limit", [1, 2, 7])
    async def test_both_lists_come_in_pages(self, world: World, limit: int) -> None:
        bob = await world.person(email="bob@example.org", is_email_verified=True)
        room_id = await world.room()
        of_room = [await invited(world, room_id, max_uses=1, uses=n % 2) for n in range(5)]
        mine = []
        for n in range(5):
            other = await world.room()
            address = "bob@example.org" if n % 2 else None
            mine.append(await invited(world, other, None if n % 2 else bob, email_key=address))
        now, reader = world.harness.clock(), world.reader(bob).invitations
        found = await walk(lambda cursor: reader.find_by_room(room_id, now, cursor, limit), limit)
        assert found == of_room
        seen = await walk(lambda cursor: reader.find_mine(now, cursor, limit), limit)
        assert [invited.invitation for invited in seen] == mine

    async def test_bad_cursors_and_limits(self, world: World) -> None:
        bob = await world.person()
        rooms = [await world.room() for _ in range(3)]
        for room_id in rooms:
            await invited(world, room_id, bob)
            await invited(world, rooms[0])
        now, reader = world.harness.clock(), world.reader(bob).invitations
        lists: list[tuple[str, Callable[[Cursor | None, Any], Awaitable[Page[Any]]]]] = [
            (f"invitations:{ulid(rooms[0])}", lambda cursor, limit: reader.find_by_room(rooms[0], now, cursor, limit)),
            (f"invited:{ulid(user_of(bob))}", lambda cursor, limit: reader.find_mine(now, cursor, limit)),
        ]
        cursors = []
        for listing, turn in lists:
            cursor = (await turn(None, 1)).newer
            assert cursor is not None
            cursors.append(cursor)
            for bad in (*NO_CURSORS, *damaged(cursor), *forged(listing)):
                with pytest.raises(InvalidCursor):
                    await turn(Cursor(bad), 1)
            for bad_limit in BAD_LIMITS:
                with pytest.raises(Invalid) as refused:
                    await turn(None, bad_limit)
                assert refused.value.details["field"] == "limit"
        with pytest.raises(InvalidCursor):
            await lists[0][1](cursors[1], 1)

    # ── running out ───────────────────────────────────────────────────────────────────────────────────────────────

    async def test_what_has_run_out_is_marked_in_batches(self, world: World) -> None:
        ann, bob, cid = await world.persons(3)
        rooms = [await world.room(ann) for _ in range(2)]
        start = world.harness.clock()

        def at(seconds: int) -> datetime:
            return start + timedelta(seconds=seconds)

        due = [
            await invited(world, rooms[1], bob, expires_at=at(3)),
            await invited(world, rooms[0], expires_at=at(1)),
            await invited(world, rooms[0], cid, expires_at=at(2)),
        ]
        kept = [await invited(world, rooms[0], bob), await invited(world, rooms[0], expires_at=at(6))]
        gone = await invited(world, rooms[0], expires_at=at(1))
        await saved(world, closed(gone, InvitationStatus.REVOKED, start))
        now = world.harness.clock.advance(5)
        batches: list[tuple[Invitation, ...]] = []
        for _ in range(3):
            async with world.unit() as uow:
                batches.append(await uow.invitations.expire(2))
                await uow.commit()
        wanted = [i.changed(status=InvitationStatus.EXPIRED, updated_at=now) for i in due]
        assert batches == [tuple(sorted(wanted[1:], key=lambda i: i.id)), (wanted[0],), ()]
        assert [await find(world, i) for i in due] == wanted
        assert [await find(world, i) for i in kept] == kept
        for room_id, person, status in (
            (rooms[1], bob, MembershipStatus.LEFT),
            (rooms[0], cid, MembershipStatus.LEFT),
            (rooms[0], bob, MembershipStatus.INVITED),
        ):
            membership = await world.membership(room_id, person)
            assert membership is not None
            assert membership.status is status
            assert membership.left_at == (now if status is MembershipStatus.LEFT else None)
        with pytest.raises(Invalid):
            async with world.unit() as uow:
                await uow.invitations.expire(0)

    async def test_who_sits_there_by_then_stays(self, world: World) -> None:
        bob = await world.person()
        room_id = await world.room()
        await invited(world, room_id, bob, expires_at=world.harness.clock() + timedelta(seconds=1))
        await world.join(room_id, bob)
        world.harness.clock.advance(2)
        async with world.unit() as uow:
            assert len(await uow.invitations.expire(10)) == 1
            await uow.commit()
        membership = await world.membership(room_id, bob)
        assert membership is not None
        assert membership.status is MembershipStatus.ACTIVE
