"""Inviting into rooms, and answering."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from pydantic import SecretStr

from app.domain import ids, invitations, rooms
from app.domain.access import NotAllowed
from app.domain.actors import Actor
from app.domain.errors import ChatError, Invalid
from app.domain.events import EventKind
from app.domain.identity import AccountInactive, AccountType, UserNotFound
from app.domain.ids import InvitationId, UserId
from app.domain.invitations import Invitation, InvitationStatus, Issued
from app.domain.rooms import Room, RoomType, members
from app.domain.rooms.members import MembershipStatus, Role
from app.domain.rooms.moderation import Rights
from tests.services.world import World, id_of, taken

pytestmark = [pytest.mark.spec("2.20"), pytest.mark.spec("3.3")]


async def open_of(world: World, room: Room) -> tuple[Invitation, ...]:
    return (await world.chat.invitations.find_by_room(world.system, room.id)).items


async def mine(world: World, actor: Actor) -> list[str | None]:
    """The rooms the actor is invited into."""
    return [invited.room.name for invited in (await world.chat.invitations.find_mine(actor)).items]


async def status_of(world: World, actor: Actor, room: Room) -> MembershipStatus | None:
    async with world.chat.store.unit_of_work(world.system) as uow:
        subject = (await uow.rooms.hold(room.id, id_of(actor))).subject
    return None if subject is None else subject.status


async def verify(world: World, actor: Actor, email: str | None = None) -> None:
    async with world.chat.store.unit_of_work(world.system) as uow:
        account = await uow.users.hold(id_of(actor))
        await uow.users.save(account.changed(is_email_verified=True, email=email or account.email))
        await uow.commit()


# ── a user ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_user_is_invited_and_comes(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, is_private=True)
    await world.say(ann, room, "one", "two")
    async with world.chat.events.subscribe(room.id) as events:
        invitation = await world.chat.invitations.invite(ann, ids.ulid(room.id), ids.ulid(id_of(bob)), "observer")
        assert (invitation.user_id, invitation.invited_by, invitation.max_uses) == (id_of(bob), id_of(ann), 1)
        assert await status_of(world, bob, room) is MembershipStatus.INVITED
        assert await mine(world, bob) == ["Lounge"]
        assert await open_of(world, room) == (invitation,)
        with pytest.raises(members.NotAMember):
            await world.chat.messages.history(bob, room.id)
        membership = await world.chat.invitations.accept(bob, ids.ulid(invitation.id))
        assert [(kind, who) for kind, _, who in await taken(events, 2)] == [
            (EventKind.MEMBER_INVITED, id_of(bob)),
            (EventKind.MEMBER_JOINED, id_of(bob)),
        ]
    assert (membership.role, membership.status, membership.last_read_position) == (
        Role.OBSERVER,
        MembershipStatus.ACTIVE,
        2,
    )
    assert await mine(world, bob) == []
    assert await open_of(world, room) == ()
    with pytest.raises(members.AlreadyMember):
        await world.chat.invitations.accept(bob, invitation.id)


async def test_an_invitation_is_declined_or_revoked_once(world: World) -> None:
    ann, bob, eve = await world.persons("ann", "bob", "eve")
    room = await world.room(ann)
    chat = world.chat.invitations
    for close, actor, status in (
        (chat.decline, bob, InvitationStatus.DECLINED),
        (chat.revoke, ann, InvitationStatus.REVOKED),
    ):
        invitation = await chat.invite(ann, room.id, id_of(bob))
        world.clock.go_on()
        async with world.chat.events.subscribe(room.id) as events:
            closed = await close(actor, invitation.id)
            assert [(kind, who) for kind, _, who in await taken(events, 1)] == [
                (EventKind.INVITATION_CLOSED, id_of(bob))
            ]
        assert (closed.status, closed.updated_at) == (status, world.clock())
        assert closed.revoked_at == (world.clock() if status is InvitationStatus.REVOKED else None)
        assert await status_of(world, bob, room) is MembershipStatus.LEFT
        for again in (
            chat.accept(bob, invitation.id),
            chat.decline(bob, invitation.id),
            chat.revoke(ann, invitation.id),
        ):
            with pytest.raises(invitations.InvitationClosed):
                await again
        with pytest.raises(invitations.InvitationNotFound):
            await chat.decline(eve, invitation.id)


async def test_an_invitation_is_nobody_elses(world: World) -> None:
    ann, bob, eve = await world.persons("ann", "bob", "eve")
    room = await world.room(ann)
    invitation = await world.chat.invitations.invite(ann, room.id, id_of(bob))
    link = await world.chat.invitations.make_link(ann, room.id)
    for wanted in (invitation.id, link.invitation.id, InvitationId(uuid4())):
        for answer in (world.chat.invitations.accept, world.chat.invitations.decline):
            with pytest.raises(invitations.InvitationNotFound):
                await answer(eve, wanted)
    with pytest.raises(members.NotAMember):
        await world.chat.invitations.revoke(eve, invitation.id)
    with pytest.raises(invitations.InvitationNotFound):
        await world.chat.invitations.revoke(ann, InvitationId(uuid4()))
    elsewhere = Actor(user_id=id_of(bob), tenant_id=ids.TenantId(uuid4()))
    with pytest.raises(UserNotFound):
        await world.chat.invitations.accept(elsewhere, invitation.id)


async def test_joining_or_being_added_answers_an_invitation(world: World) -> None:
    ann, bob, cat = await world.persons("ann", "bob", "cat")
    room = await world.room(ann)
    for person in (bob, cat):
        await world.chat.invitations.invite(ann, room.id, id_of(person))
    await world.chat.members.join(bob, room.id)
    await world.chat.members.add(ann, room.id, id_of(cat))
    assert await open_of(world, room) == ()
    await world.chat.members.leave(bob, room.id)
    invitation = await world.chat.invitations.invite(ann, room.id, id_of(bob))
    link = await world.chat.invitations.make_link(ann, room.id)
    await world.chat.invitations.accept_token(bob, link.token)
    assert await open_of(world, room) == (link.invitation.changed(uses=1),)
    with pytest.raises(members.AlreadyMember):
        await world.chat.invitations.accept(bob, invitation.id)


# ── an address, a link ────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_address_is_invited_and_its_owner_comes(world: World) -> None:
    ann, bob, eve = await world.persons("ann", "bob", "eve")
    room = await world.room(ann, is_private=True)
    issued = await world.chat.invitations.invite_email(ann, room.id, "Ｂob@Example.org")
    assert issued.invitation.email_key == "bob@example.org"
    with pytest.raises(invitations.AlreadyInvited):
        await world.chat.invitations.invite_email(ann, room.id, "bob@example.org")
    with pytest.raises(invitations.InvitationNotFound):  # whose address it is has not been proved
        await world.chat.invitations.accept(bob, issued.invitation.id)
    assert await mine(world, bob) == []
    await verify(world, bob)
    await verify(world, eve)
    assert await mine(world, bob) == ["Lounge"]
    assert await mine(world, eve) == []
    with pytest.raises(invitations.InvitationNotFound):
        await world.chat.invitations.accept(eve, issued.invitation.id)
    assert (await world.chat.invitations.accept(bob, issued.invitation.id)).is_seated
    with pytest.raises(invitations.InvitationClosed):
        await world.chat.invitations.accept_token(eve, issued.token)


async def test_an_address_is_invited_and_the_token_will_do(world: World) -> None:
    ann, bob, eve = await world.persons("ann", "bob", "eve")
    room = await world.room(ann, is_private=True)
    issued = await world.chat.invitations.invite_email(ann, room.id, "someone@else.example")
    assert (await world.chat.invitations.accept_token(bob, issued.token.get_secret_value())).is_seated
    with pytest.raises(members.AlreadyMember):
        await world.chat.invitations.accept_token(bob, issued.token)
    with pytest.raises(invitations.InvitationClosed):
        await world.chat.invitations.accept_token(eve, issued.token)
    await world.chat.members.leave(bob, room.id)
    with pytest.raises(invitations.InvitationClosed):
        await world.chat.invitations.accept_token(bob, issued.token)


async def test_an_address_may_decline(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann)
    issued = await world.chat.invitations.invite_email(ann, room.id, "bob@example.org")
    await verify(world, bob)
    assert (await world.chat.invitations.decline(bob, issued.invitation.id)).status is InvitationStatus.DECLINED
    assert await status_of(world, bob, room) is None


async def test_a_link_brings_in_as_many_as_it_says(world: World) -> None:
    ann, *others = await world.persons("ann", "bob", "cat", "dan")
    room = await world.room(ann, is_private=True)
    issued = await world.chat.invitations.make_link(ann, room.id, max_uses=2)
    for person in others[:2]:
        await world.chat.invitations.accept_token(person, issued.token)
    with pytest.raises(invitations.InvitationClosed):
        await world.chat.invitations.accept_token(others[2], issued.token)
    endless = await world.chat.invitations.make_link(ann, room.id)
    await world.chat.invitations.accept_token(others[2], endless.token)
    assert [invitation.uses for invitation in await open_of(world, room)] == [1]
    await world.chat.invitations.revoke(ann, endless.invitation.id)
    await world.chat.members.leave(others[2], room.id)
    with pytest.raises(invitations.InvitationClosed):
        await world.chat.invitations.accept_token(others[2], endless.token)


async def test_a_token_is_told_once_and_guessed_by_nobody(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann)
    issued = [await world.chat.invitations.make_link(ann, room.id) for _ in range(3)]
    tokens = {each.token.get_secret_value() for each in issued}
    assert len(tokens) == 3
    assert all(len(token) == 43 and token.isascii() for token in tokens)
    assert not any(token in repr(each) for each in issued for token in tokens)
    for wrong in ("", "x", "é", "\0", "\ud800", "x" * 100_000, SecretStr("x")):
        with pytest.raises(invitations.InvitationNotFound):
            await world.chat.invitations.accept_token(bob, wrong)
    with pytest.raises(Invalid, match="token"):
        await world.chat.invitations.accept_token(bob, 5)  # type: ignore[arg-type]  # wrong on purpose


# ── who may, and who comes in ─────────────────────────────────────────────────────────────────────────────────────


async def ways(world: World, actor: Actor, room: Room, user: Actor, role: Role = Role.MEMBER) -> list[object]:
    """What came of each of the three ways to invite."""
    chat = world.chat.invitations
    results: list[object] = []
    for call in (
        chat.invite(actor, room.id, id_of(user), role),
        chat.invite_email(actor, room.id, f"{uuid4()}@example.org", role),
        chat.make_link(actor, room.id, role),
    ):
        try:
            results.append(await call)
        except ChatError as error:
            results.append(type(error))
    return results


async def test_who_may_invite_and_into_which_role(world: World) -> None:
    ann, admin, mod, helper, bob, eve = await world.persons("ann", "admin", "mod", "helper", "bob", "eve")
    room = await world.room(ann, helper, bob)
    await world.chat.members.add(ann, room.id, id_of(admin), Role.ADMIN)
    await world.chat.members.add(ann, room.id, id_of(mod), Role.MODERATOR)
    await world.chat.members.set_rights(ann, room.id, id_of(helper), Rights(can_invite_others=True))
    for actor, role, refusal in (
        (bob, Role.MEMBER, NotAllowed),
        (eve, Role.MEMBER, members.NotAMember),
        (helper, Role.MODERATOR, NotAllowed),
        (mod, Role.ADMIN, NotAllowed),
        (admin, Role.OWNER, NotAllowed),
    ):
        assert await ways(world, actor, room, eve, role) == [refusal] * 3
        with pytest.raises(refusal if actor in (bob, eve) else Invalid):
            await world.chat.invitations.find_by_room(actor, room.id, limit=0)
    for n, (actor, role) in enumerate(
        (
            (helper, Role.OBSERVER),
            (mod, Role.MODERATOR),
            (admin, Role.ADMIN),
            (ann, Role.OWNER),
            (world.system, Role.OWNER),
        )
    ):
        someone = await world.person(f"someone{n}")
        made = await ways(world, actor, room, someone, role)
        assert [type(each) for each in made] == [Invitation, Issued, Issued]
        assert isinstance(made[0], Invitation)
        with pytest.raises(NotAllowed):
            await world.chat.invitations.revoke(bob, made[0].id)
        if role in (Role.ADMIN, Role.OWNER):
            with pytest.raises(NotAllowed):
                await world.chat.invitations.revoke(mod, made[0].id)
        assert (await world.chat.invitations.accept(someone, made[0].id)).role is role


async def test_who_and_where_nobody_is_invited(world: World) -> None:
    ann, bob, eve = await world.persons("ann", "bob", "eve")
    guest = await world.person("guest", AccountType.GUEST)
    room = await world.room(ann, bob, guest_access_allowed=False)
    closed = await world.room(ann)
    await world.chat.rooms.close(ann, closed.id)
    direct = await world.chat.rooms.open_direct(ann, id_of(bob))
    invite = world.chat.invitations.invite
    for actor, where, whom, refusal in (
        (ann, room, UserId(uuid4()), UserNotFound),
        (ann, room, id_of(bob), members.AlreadyMember),
        (ann, room, id_of(guest), members.NoGuests),
        (ann, closed, id_of(bob), rooms.RoomNotActive),
        (world.system, direct, id_of(eve), members.DirectRoomIsFixed),
    ):
        with pytest.raises(refusal):
            await invite(actor, where.id, whom)
    await world.chat.moderation.ban(ann, room.id, id_of(eve))
    with pytest.raises(members.Banned):
        await invite(ann, room.id, id_of(eve))
    with pytest.raises(rooms.RoomNotFound):
        await world.chat.invitations.make_link(ann, ids.RoomId(uuid4()))
    await world.bar(ann)
    assert await ways(world, ann, room, eve) == [AccountInactive] * 3


async def test_who_does_not_come_in(world: World) -> None:
    ann, bob, cat = await world.persons("ann", "bob", "cat")
    guest = await world.person("guest", AccountType.GUEST)
    room = await world.room(ann, max_participants=2)
    link = await world.chat.invitations.make_link(ann, room.id)
    accept = world.chat.invitations.accept_token
    await world.chat.moderation.ban(ann, room.id, id_of(bob))
    with pytest.raises(members.Banned):
        await accept(bob, link.token)
    await world.chat.rooms.update(ann, room.id, rooms.RoomChange(guest_access_allowed=False))
    with pytest.raises(members.NoGuests):
        await accept(guest, link.token)
    await world.chat.rooms.archive(ann, room.id)
    with pytest.raises(rooms.RoomNotActive):
        await accept(cat, link.token)
    await world.chat.rooms.reopen(ann, room.id)
    await world.chat.members.add(ann, room.id, id_of(await world.person("dan")))
    with pytest.raises(members.RoomIsFull):
        await accept(cat, link.token)
    assert [invitation.uses for invitation in await open_of(world, room)] == [0], "nobody has come by it"
    await world.bar(cat)
    with pytest.raises(AccountInactive):
        await accept(cat, link.token)
    await world.chat.rooms.delete(ann, room.id)
    with pytest.raises(invitations.InvitationNotFound):
        await accept(await world.person("eve"), link.token)


async def test_a_guest_comes_as_guest(world: World) -> None:
    ann, guest = await world.person("ann"), await world.person("guest", AccountType.GUEST)
    room = await world.room(ann, room_type=RoomType.SUPPORT)
    link = await world.chat.invitations.make_link(ann, room.id)
    assert (await world.chat.invitations.accept_token(guest, link.token)).role is Role.GUEST


async def test_a_ban_revokes_what_was_open(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann)
    invitation = await world.chat.invitations.invite(ann, room.id, id_of(bob))
    async with world.chat.events.subscribe(room.id) as events:
        await world.chat.moderation.ban(ann, room.id, id_of(bob))
        assert [(kind, who) for kind, _, who in await taken(events, 2)] == [
            (EventKind.INVITATION_CLOSED, id_of(bob)),
            (EventKind.MEMBER_BANNED, id_of(bob)),
        ]
    assert await mine(world, bob) == []
    with pytest.raises(invitations.InvitationClosed):
        await world.chat.invitations.accept(bob, invitation.id)
    assert await status_of(world, bob, room) is MembershipStatus.BANNED


# ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_invitation_runs_out_by_the_clock(world: World) -> None:
    ann, bob, eve = await world.persons("ann", "bob", "eve")
    room = await world.room(ann)
    at = world.clock() + timedelta(minutes=1)
    invitation = await world.chat.invitations.invite(ann, room.id, id_of(bob), expires_at=at)
    link = await world.chat.invitations.make_link(ann, room.id, expires_at=at)
    world.clock.go_on(59)
    await world.chat.invitations.accept_token(eve, link.token)
    assert await mine(world, bob) == ["Lounge"]
    world.clock.go_on(1)
    for late in (
        world.chat.invitations.accept(bob, invitation.id),
        world.chat.invitations.accept_token(bob, link.token),
    ):
        with pytest.raises(invitations.InvitationExpired):
            await late
    assert await mine(world, bob) == []
    assert await open_of(world, room) == ()
    async with world.chat.events.subscribe(room.id) as events:
        assert await world.chat.invitations.sweep(world.system, limit=1) == 1
        assert await world.chat.invitations.sweep(world.system) == 1
        assert await world.chat.invitations.sweep(world.system) == 0
        assert {kind for kind, _, _ in await taken(events, 2)} == {EventKind.INVITATION_CLOSED}
    assert await status_of(world, bob, room) is MembershipStatus.LEFT
    with pytest.raises(Invalid, match="actor"):
        await world.chat.invitations.sweep(ann)
    with pytest.raises(Invalid, match="limit"):
        await world.chat.invitations.sweep(world.system, limit=0)


async def test_an_invitation_that_has_run_out_may_be_given_again(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann)
    at = world.clock() + timedelta(minutes=1)
    await world.chat.invitations.invite(ann, room.id, id_of(bob), expires_at=at)
    world.clock.go_on(61)
    again = await world.chat.invitations.invite(ann, room.id, id_of(bob))
    assert await world.chat.invitations.sweep(world.system) == 0
    assert (await world.chat.invitations.accept(bob, again.id)).is_seated


async def test_bad_arguments_name_their_field(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room, now = await world.room(ann), world.clock()
    chat = world.chat.invitations
    for call, field in (
        (chat.invite(ann, "lounge", id_of(bob)), "room_id"),
        (chat.invite(ann, room.id, "bob"), "user_id"),
        (chat.invite(ann, room.id, id_of(bob), "king"), "role"),
        (chat.invite(ann, room.id, id_of(bob), expires_at=now), "expires_at"),
        (chat.invite(ann, room.id, id_of(bob), expires_at=now.replace(tzinfo=None)), "expires_at"),
        (chat.invite_email(ann, room.id, "bob"), "email"),
        (chat.invite_email(ann, room.id, "b\0b@example.org"), "email"),
        (chat.invite_email(ann, room.id, f"{'b' * 250}@example.org"), "email"),
        (chat.invite_email(ann, room.id, 5), "email"),  # type: ignore[arg-type]  # wrong on purpose
        (chat.make_link(ann, room.id, max_uses=0), "max_uses"),
        (chat.make_link(ann, room.id, max_uses=True), "max_uses"),
        (chat.make_link(ann, room.id, max_uses=10**7), "max_uses"),
        (chat.make_link(ann, room.id, expires_at="tomorrow"), "expires_at"),  # type: ignore[arg-type]  # wrong on purpose
        (chat.accept(ann, "invitation"), "invitation_id"),
        (chat.accept(world.system, InvitationId(uuid4())), "actor"),
        (chat.accept_token(world.system, "x"), "actor"),
        (chat.decline(world.system, InvitationId(uuid4())), "actor"),
        (chat.find_mine(world.system), "actor"),
        (chat.find_mine(ann, limit=0), "limit"),
        (chat.find_mine(ann, after="x"), "cursor"),
    ):
        with pytest.raises(Invalid) as refused:
            await call
        assert refused.value.details["field"] == field
    assert await open_of(world, room) == ()
