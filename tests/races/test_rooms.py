"""Invitations, bans, ownership and the states of rooms under a race (SPEC 2.20, 3.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.actors import Actor
from app.domain.identity import AccountType
from app.domain.ids import RoomId
from app.domain.invitations import AlreadyInvited, Invitation, InvitationClosed, InvitationNotFound
from app.domain.messaging import Draft, Sent
from app.domain.rooms import RoomChange, RoomNotActive, RoomNotFound
from app.domain.rooms.children import NewChild, OpenedChild
from app.domain.rooms.members import (
    AlreadyMember,
    LastOwner,
    MemberNotFound,
    Membership,
    NoGuests,
    NotAMember,
    Role,
    RoomIsFull,
)
from app.testing import builders
from tests.races.conftest import Arena, together, user_of

pytestmark = [pytest.mark.postgres, pytest.mark.spec("3.3")]


async def seated_in(arena: Arena, room_id: RoomId) -> dict[Any, Role]:
    page = await arena.chat.store.reader(Actor.system()).rooms.members(room_id, None, 200)
    return {p.user.id: p.membership.role for p in page.items}


async def told(arena: Arena, room_id: RoomId) -> list[str]:
    """The kinds of the room's log in order."""
    rows = await arena.watcher.fetch("SELECT kind FROM room_events WHERE room_id = $1 ORDER BY revision", room_id)
    return [row["kind"] for row in rows]


# ── invitations ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.spec("2.20")
async def test_of_fifty_who_follow_a_link_for_three_three_come_in(arena: Arena) -> None:
    owner, *others = await arena.people(51)
    room_id = await arena.room([owner], is_private=True)
    issued = await arena.chat.invitations.make_link(owner, room_id, max_uses=3)
    answers = await together([arena.chat.invitations.accept_token(o, issued.token) for o in others])
    assert sum(isinstance(answer, Membership) for answer in answers) == 3, answers
    assert sum(isinstance(answer, InvitationClosed) for answer in answers) == 47
    row = await arena.watcher.fetchrow("SELECT uses, status FROM invitations WHERE id = $1", issued.invitation.id)
    assert row is not None
    assert tuple(row) == (3, "accepted")
    assert len(await seated_in(arena, room_id)) == 4
    await arena.prove(room_id)


@pytest.mark.spec("2.20")
async def test_the_last_seat_goes_to_one_whichever_way_they_come(arena: Arena) -> None:
    for _ in range(4):
        owner, *others = await arena.people(13)
        room_id = await arena.room([owner], max_participants=2)
        chat = arena.chat.invitations
        link = await chat.make_link(owner, room_id)
        invited = [await chat.invite(owner, room_id, user_of(o)) for o in others[:4]]
        ways: list[Coroutine[Any, Any, Membership]] = [
            *(chat.accept(o, i.id) for o, i in zip(others[:4], invited, strict=True)),
            *(arena.chat.members.join(o, room_id) for o in others[4:7]),
            *(arena.chat.members.add(owner, room_id, user_of(o)) for o in others[7:10]),
            *(chat.accept_token(o, link.token) for o in others[10:]),
        ]
        answers = await together(ways)
        assert sum(isinstance(answer, Membership) for answer in answers) == 1, answers
        assert sum(isinstance(answer, RoomIsFull) for answer in answers) == len(ways) - 1
        assert len(await seated_in(arena, room_id)) == 2
        open_ones = await arena.watcher.fetchval(
            "SELECT count(*) FROM invitations WHERE room_id = $1 AND status = 'open' AND user_id IS NOT NULL", room_id
        )
        assert open_ones == 4 - any(isinstance(answer, Membership) for answer in answers[:4])
        await arena.prove(room_id)


@pytest.mark.spec("2.20")
async def test_one_user_is_invited_once_and_comes_once(arena: Arena) -> None:
    owner, other = await arena.people(2)
    room_id = await arena.room([owner])
    made = await together([arena.chat.invitations.invite(owner, room_id, user_of(other)) for _ in range(10)])
    (invitation,) = [each for each in made if isinstance(each, Invitation)]
    assert sum(isinstance(each, AlreadyInvited) for each in made) == 9, made
    answers = await together([arena.chat.invitations.accept(other, invitation.id) for _ in range(10)])
    assert sum(isinstance(answer, Membership) for answer in answers) == 1, answers
    assert sum(isinstance(answer, AlreadyMember) for answer in answers) == 9
    await arena.prove(room_id)


@pytest.mark.spec("2.20")
async def test_an_invitation_is_accepted_or_revoked_and_never_both(arena: Arena) -> None:
    for _ in range(8):
        owner, other = await arena.people(2)
        room_id = await arena.room([owner])
        invitation = await arena.chat.invitations.invite(owner, room_id, user_of(other))
        accepted, revoked = await together(
            [
                arena.chat.invitations.accept(other, invitation.id),
                arena.chat.invitations.revoke(owner, invitation.id),
            ]
        )
        sits = user_of(other) in await seated_in(arena, room_id)
        if isinstance(accepted, Membership):
            assert isinstance(revoked, InvitationClosed)
        else:
            assert isinstance(accepted, InvitationClosed)
            assert isinstance(revoked, Invitation)
        assert sits is isinstance(accepted, Membership)
        await arena.prove(room_id)


@pytest.mark.spec("2.20")
async def test_sweepers_and_answers_meet_over_many_rooms(arena: Arena) -> None:
    """The sweeper holds many rooms at once: in key order, so that nobody is told of a deadlock."""
    owner, *others = await arena.people(13)
    soon = datetime.now(UTC) + timedelta(seconds=1)
    made = []
    for other in others:
        room_id = await arena.room([owner])
        made.append(await arena.chat.invitations.invite(owner, room_id, user_of(other), expires_at=soon))
    async with asyncio.timeout(5):
        while datetime.now(UTC) < soon:  # noqa: ASYNC110 - the clock is what is waited for
            await asyncio.sleep(0.05)
    sweeps = [arena.chat.invitations.sweep(Actor.system(), limit=5) for _ in range(6)]
    declines = [arena.chat.invitations.decline(o, i.id) for o, i in zip(others, reversed(made), strict=False)]
    declines += [arena.chat.invitations.decline(o, i.id) for o, i in zip(others, made, strict=True)]
    answers = await together([*sweeps, *declines])
    swept = sum(answer for answer in answers if isinstance(answer, int))
    declined = sum(isinstance(answer, Invitation) for answer in answers)
    expected = (int, Invitation, InvitationClosed, InvitationNotFound)
    assert [answer for answer in answers if not isinstance(answer, expected)] == []
    while more := await arena.chat.invitations.sweep(Actor.system()):
        swept += more
    assert swept + declined == len(made)
    for invitation in made:
        await arena.prove(invitation.room_id)


# ── bans, states, ownership ───────────────────────────────────────────────────────────────────────────────────────


async def talk(arena: Arena, actor: Actor, room_id: RoomId) -> Exception:
    """Sends until it is refused; the refusal."""
    for n in range(1000):
        try:
            await arena.chat.messages.send(actor, room_id, Draft(content=f"{n}"))
        except (NotAMember, RoomNotActive, RoomNotFound) as error:
            return error
    raise AssertionError("nothing stopped it")


async def test_nothing_is_said_after_a_ban(arena: Arena) -> None:
    for _ in range(4):
        owner, bob, eve = await arena.people(3)
        room_id = await arena.room([owner, bob, eve])

        async def ban(owner: Actor = owner, room_id: RoomId = room_id, bob: Actor = bob) -> None:
            await asyncio.sleep(0.02)
            await arena.chat.moderation.ban(owner, room_id, user_of(bob))

        refusals = await together([talk(arena, bob, room_id), talk(arena, bob, room_id), ban()])
        assert [type(refusal) for refusal in refusals[:2]] == [NotAMember, NotAMember]
        kinds = await told(arena, room_id)
        assert kinds[-1] == "member.banned", kinds[-3:]
        assert await arena.prove(room_id) == kinds.count("message.sent") > 0


async def test_a_send_that_waits_is_judged_after_the_ban(arena: Arena) -> None:
    owner, bob = await arena.people(2)
    room_id = await arena.room([owner, bob])
    async with arena.chat.store.unit_of_work(owner) as uow:
        held = await uow.rooms.hold(room_id, user_of(bob))
        sending = asyncio.create_task(arena.chat.messages.send(bob, room_id, Draft(content="late")))
        await arena.waiting()
        assert held.subject is not None
        await uow.rooms.put_membership(held.subject.changed(status="banned"))
        await uow.commit()
    with pytest.raises(NotAMember):
        await sending
    assert await arena.prove(room_id) == 0


@pytest.mark.parametrize(
    ("verb", "kind"), [("archive", "room.archived"), ("close", "room.closed"), ("delete", "room.deleted")]
)
async def test_nothing_is_said_in_a_room_set_aside(arena: Arena, verb: str, kind: str) -> None:
    owner, bob, eve = await arena.people(3)
    room_id = await arena.room([owner, bob, eve])

    async def end() -> None:
        await asyncio.sleep(0.02)
        await getattr(arena.chat.rooms, verb)(owner, room_id)

    refusals = await together([talk(arena, bob, room_id), talk(arena, eve, room_id), end()])
    refusal = RoomNotFound if verb == "delete" else RoomNotActive
    assert [type(each) for each in refusals[:2]] == [refusal, refusal]
    kinds = await told(arena, room_id)
    assert kinds[-1] == kind
    sent = await arena.watcher.fetchval("SELECT count(*) FROM messages WHERE room_id = $1", room_id)
    assert sent == kinds.count("message.sent") > 0


async def test_ownership_goes_to_nobody_who_leaves(arena: Arena) -> None:
    for _ in range(8):
        owner, heir, member = await arena.people(3)
        room_id = await arena.room([owner, heir, member])
        transfer, leave = await together(
            [
                arena.chat.members.transfer_ownership(owner, room_id, user_of(heir)),
                arena.chat.members.leave(heir, room_id),
            ]
        )
        roles = await seated_in(arena, room_id)
        assert list(roles.values()).count(Role.OWNER) == 1, roles
        if isinstance(transfer, Membership):
            assert isinstance(leave, LastOwner)
            assert roles[user_of(heir)] is Role.OWNER
        else:
            assert isinstance(transfer, MemberNotFound)
            assert isinstance(leave, Membership)
            assert roles[user_of(owner)] is Role.OWNER
        await arena.prove(room_id)


async def test_the_owner_who_hands_over_and_leaves_at_once_leaves_an_owner(arena: Arena) -> None:
    for _ in range(8):
        owner, heir = await arena.people(2)
        room_id = await arena.room([owner, heir])
        await together(
            [
                arena.chat.members.transfer_ownership(owner, room_id, user_of(heir)),
                arena.chat.members.leave(owner, room_id),
            ]
        )
        assert Role.OWNER in (await seated_in(arena, room_id)).values()
        await arena.prove(room_id)


# ── guests, children ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_no_guest_sits_where_none_is_let_in(arena: Arena) -> None:
    (owner,) = await arena.people(1)
    accounts = [builders.account(account_type=AccountType.GUEST) for _ in range(8)]
    async with arena.chat.store.unit_of_work(Actor.system()) as uow:
        for account in accounts:
            await uow.users.create(account)
        await uow.commit()
    guests = [Actor(user_id=account.id) for account in accounts]
    room_id = await arena.room([owner, *guests[:2]])
    answers = await together(
        [
            *(arena.chat.members.join(guest, room_id) for guest in guests[2:5]),
            arena.chat.rooms.update(owner, room_id, RoomChange(guest_access_allowed=False)),
            *(arena.chat.members.join(guest, room_id) for guest in guests[5:]),
        ]
    )
    assert [a for a in answers if isinstance(a, Exception) and not isinstance(a, NoGuests)] == []
    assert set(await seated_in(arena, room_id)) == {user_of(owner)}
    await arena.prove(room_id)


async def test_who_leaves_while_a_child_is_opened_comes_along_or_does_not(arena: Arena) -> None:
    for _ in range(4):
        owner, *others = await arena.people(5)
        parent = await arena.room([owner, *others])
        opened, *left = await together(
            [
                arena.chat.rooms.open_child(owner, parent, NewChild(name="Second level")),
                *(arena.chat.members.leave(other, parent) for other in others),
            ]
        )
        assert isinstance(opened, OpenedChild), opened
        assert all(isinstance(each, Membership) for each in left)
        assert tuple(sorted(await seated_in(arena, opened.room.id))) == opened.members
        assert user_of(owner) in opened.members
        joined = await arena.watcher.fetch(
            "SELECT user_id FROM room_events WHERE room_id = $1 AND kind = 'member.joined' ORDER BY revision",
            opened.room.id,
        )
        assert tuple(row["user_id"] for row in joined) == opened.members
        await arena.prove(opened.room.id)


async def test_nothing_is_said_after_a_silence(arena: Arena) -> None:
    """The silence of a member counts for a send that waits for the room."""
    owner, bob = await arena.people(2)
    room_id = await arena.room([owner, bob])
    answers = await together(
        [
            *(arena.chat.messages.send(bob, room_id, Draft(content=f"{n}")) for n in range(10)),
            arena.chat.moderation.silence(owner, room_id, user_of(bob)),
        ]
    )
    kinds = await told(arena, room_id)
    silenced_at = kinds.index("member.changed")
    assert "message.sent" not in kinds[silenced_at:]
    assert sum(isinstance(answer, Sent) for answer in answers) == silenced_at
    await arena.prove(room_id)
