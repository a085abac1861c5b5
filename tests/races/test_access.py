"""Grants given, taken back and ending while others act on them (SPEC 3.7)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.access import Decision, NotAllowed, Permission
from app.domain.access.roles import AccessRole, NewRole, RoleNameTaken, RoleNotFound, Scope, UserRole
from app.domain.actors import Actor
from app.domain.ids import RoomId
from app.domain.messaging import Draft, Message, NotTheAuthor
from app.testing import builders
from tests.races.conftest import Arena, together, user_of

pytestmark = [pytest.mark.postgres, pytest.mark.spec("3.7")]

SYSTEM = Actor.system()


async def moderating(arena: Arena) -> AccessRole:
    new = NewRole(name=builders.unique("moderating"), scope=Scope.GLOBAL, permissions=("chat:message:*",))
    return await arena.chat.access.create_role(SYSTEM, new)


async def sent(arena: Arena, author: Actor, room_id: RoomId, number: int) -> list[Message]:
    return [
        (await arena.chat.messages.send(author, room_id, Draft(content=f"message {n}"))).message for n in range(number)
    ]


async def test_ten_grants_of_one_role_at_once_are_one(arena: Arena) -> None:
    (ann, *others) = await arena.people(2)
    role = await moderating(arena)
    room_id = await arena.room([ann, *others])
    for place in (None, room_id):
        grants = await together([arena.chat.access.grant(SYSTEM, user_of(ann), role.id, place) for _ in range(10)])
        assert all(isinstance(grant, UserRole) for grant in grants), grants
        held = [grant for grant in await arena.chat.access.roles_of(SYSTEM, user_of(ann)) if grant.room_id == place]
        assert len(held) == 1
    rows = await arena.watcher.fetchval("SELECT count(*) FROM user_roles WHERE user_id = $1", user_of(ann))
    assert rows == 2


async def test_one_of_ten_makes_a_role_of_a_name(arena: Arena) -> None:
    name = builders.unique("role")
    made = await together([arena.chat.access.create_role(SYSTEM, NewRole(name=name)) for _ in range(10)])
    assert sum(isinstance(role, AccessRole) for role in made) == 1, made
    assert sum(isinstance(role, RoleNameTaken) for role in made) == 9


async def test_after_a_revoke_has_returned_nothing_more_is_done_by_the_grant(arena: Arena) -> None:
    ann, ben = await arena.people(2)
    room_id = await arena.room([ann, ben])
    role = await moderating(arena)
    for _ in range(3):
        await arena.chat.access.grant(SYSTEM, user_of(ben), role.id, room_id)
        messages = await sent(arena, ann, room_id, 12)
        revoked = asyncio.Event()

        async def delete(message: Message, revoked: asyncio.Event = revoked) -> bool:
            """Whether it was deleted; one that began after the revoke must not be."""
            too_late = revoked.is_set()
            try:
                await arena.chat.messages.delete(ben, room_id, message.id)
            except NotTheAuthor:
                return False
            assert not too_late
            return True

        async def revoke(revoked: asyncio.Event = revoked) -> None:
            await arena.chat.access.revoke(SYSTEM, user_of(ben), role.id, room_id)
            revoked.set()

        first = await together([*(delete(m) for m in messages[:6]), revoke()])
        then = await together([delete(m) for m in messages[6:]])
        assert then == [False] * 6
        assert [r for r in first if isinstance(r, Exception)] == []
        gone = {
            row["id"]
            for row in await arena.watcher.fetch(
                "SELECT id FROM messages WHERE room_id = $1 AND deleted_at IS NOT NULL", room_id
            )
        }
        assert {m.id for m, done in zip(messages[:6], first[:6], strict=True) if done} == gone & {
            m.id for m in messages
        }
    await arena.prove(room_id)


async def test_a_grant_that_ends_meanwhile_is_good_by_the_time_of_each_act(arena: Arena) -> None:
    ann, ben = await arena.people(2)
    room_id = await arena.room([ann, ben])
    role = await moderating(arena)
    messages = await sent(arena, ann, room_id, 30)
    end = datetime.now(UTC) + timedelta(milliseconds=60)
    await arena.chat.access.grant(SYSTEM, user_of(ben), role.id, room_id, end)

    async def delete(message: Message) -> tuple[datetime, bool, datetime]:
        before = datetime.now(UTC)
        try:
            await arena.chat.messages.delete(ben, room_id, message.id)
        except NotTheAuthor:
            return before, False, datetime.now(UTC)
        return before, True, datetime.now(UTC)

    done = [await delete(message) for message in messages[:-1]]
    await asyncio.sleep(max(0, (end - datetime.now(UTC)).total_seconds()))
    done.append(await delete(messages[-1]))
    assert all(not (was_done and before >= end) for before, was_done, _ in done)
    assert all(was_done or after >= end for _, was_done, after in done)
    assert done[-1][1] is False
    await arena.prove(room_id)


async def test_a_role_deleted_while_it_is_granted_is_held_by_nobody(arena: Arena) -> None:
    people = await arena.people(6)
    for _ in range(5):
        role = await moderating(arena)
        results = await together(
            [
                *(arena.chat.access.grant(SYSTEM, user_of(person), role.id) for person in people),
                arena.chat.access.delete_role(SYSTEM, role.id),
                arena.chat.access.set_permissions(SYSTEM, role.id, ["chat:room:update"]),
            ]
        )
        assert all(result is None or isinstance(result, UserRole | AccessRole | RoleNotFound) for result in results)
        assert results[6] is None
        left = await arena.watcher.fetchval("SELECT count(*) FROM user_roles WHERE role_id = $1", role.id)
        assert left == 0


async def test_two_who_take_each_others_right_to_grant_leave_one_history(arena: Arena) -> None:
    """Each takes back what lets the other take it back: whatever came of it, a decision says the same as the rows."""
    room_id = await arena.room([])
    new = NewRole(name=builders.unique("granting"), permissions=("chat:room:grant_role",))
    role = await arena.chat.access.create_role(SYSTEM, new)
    for _ in range(5):
        one, other = await arena.people(2)
        for person in (one, other):
            await arena.chat.access.grant(SYSTEM, user_of(person), role.id, room_id)
        results = await together(
            [
                arena.chat.access.revoke(one, user_of(other), role.id, room_id),
                arena.chat.access.revoke(other, user_of(one), role.id, room_id),
            ]
        )
        assert all(result is None or isinstance(result, NotAllowed) for result in results), results
        for person in (one, other):
            held = await arena.watcher.fetchval(
                "SELECT EXISTS (SELECT FROM user_roles WHERE user_id = $1)", user_of(person)
            )
            decision = await arena.chat.access.can(person, Permission.GRANT_ROLE, room_id)
            assert isinstance(decision, Decision)
            assert decision.allowed is held
