"""The contract of `MessageWriter.send`: one message for one key, numbered in the order of commit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from app.domain import ids
from app.domain.documents import Document
from app.domain.identity import AccountStatus, AccountType
from app.domain.messaging import ClientKeyReused, DeliveryStatus, Message, MessageType, Silenced, WrongMessageType
from app.domain.rooms import RoomStatus
from app.domain.rooms.members import MembershipStatus
from app.testing import builders, strategies
from app.testing.contracts.base import Contract, forms
from app.testing.world import Form, World

Happening = Callable[[World, Message], Awaitable[Any]]


async def _close(world: World, first: Message) -> None:
    await world.change_room(first.room_id, status=RoomStatus.CLOSED)


async def _suspend(world: World, first: Message) -> None:
    await world.change_account(world.people[0], account_status=AccountStatus.SUSPENDED)


SINCE: dict[str, Happening] = {
    "nothing": lambda world, first: asyncio.sleep(0),
    "others sent": lambda world, first: world.chat(first.room_id, world.people[1], 2),
    "the sender left": lambda world, first: world.leave(first.room_id, world.people[0]),
    "the sender was banned": lambda world, first: world.leave(first.room_id, world.people[0], MembershipStatus.BANNED),
    "the sender was muted": lambda world, first: world.change_membership(
        first.room_id, world.people[0], status=MembershipStatus.MUTED
    ),
    "the room was closed": _close,
    "the account was suspended": _suspend,
}


@pytest.mark.spec("2.6", "3.4")
class SendContract(Contract):
    """What a send stores, what it returns, and what a second send of the same draft returns."""

    @forms
    async def test_a_message_takes_the_next_place(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        sent: list[Message] = []
        for number in range(1, 6):
            at = world.harness.clock.advance()
            draft = builders.draft(f"message {number}", metadata={"n": number})
            actor = (ann, bob)[number % 2]
            result = await world.perform(form, actor, lambda v, d=draft: v.messages.send(room_id, d))  # type: ignore[misc]  # a default binds the loop's value
            message = result.message
            assert result.repeated is False
            assert message == Message(
                id=message.id,
                room_id=room_id,
                tenant_id=world.tenant.id,
                position=number,
                user_id=actor.user_id,
                content=f"message {number}",
                metadata=Document({"n": number}),
                delivery_status=DeliveryStatus.DELIVERED,
                created_at=at,
                updated_at=at,
            )
            sent.append(message)
        assert await world.history(room_id) == sent == await world.history(room_id, ann)
        assert [m.id for m in sent] == sorted(m.id for m in sent)
        await world.prove(room_id)

    @settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
    @given(fields=strategies.draft_fields())
    async def test_every_field_comes_back_as_it_was(self, world: World, fields: dict[str, Any]) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        draft = builders.draft(**fields)
        sent = (await world.once(ann).messages.send(room_id, draft)).message
        for name in fields.keys() - {"client_key"}:
            assert getattr(sent, name) == getattr(draft, name)
        assert await world.reader(ann).messages.find(room_id, sent.id) == sent
        again = await world.once(ann).messages.send(room_id, draft)
        assert (again.message, again.repeated) == (sent, True)

    @forms
    async def test_who_may_send_which_type(self, world: World, form: Form) -> None:
        ann = await world.person()
        robot = await world.person(account_type=AccountType.ROBOT)
        room_id = await world.room(ann, robot)
        people = {"person": ann, "robot": robot, "application": world.system}
        for message_type in MessageType:
            for who, actor in people.items():
                draft = builders.draft(message_type=message_type)
                allowed = {
                    MessageType.SYSTEM: {"application"},
                    MessageType.ROBOT: {"application", "robot"},
                }.get(message_type, {"person", "robot"})
                if who in allowed:
                    sent = await world.perform(form, actor, lambda v, d=draft: v.messages.send(room_id, d))  # type: ignore[misc]  # a default binds the loop's value
                    assert (sent.message.message_type, sent.message.user_id) == (message_type, actor.user_id)
                else:
                    with pytest.raises(WrongMessageType):
                        await world.perform(form, actor, lambda v, d=draft: v.messages.send(room_id, d))  # type: ignore[misc]  # a default binds the loop's value
        await world.prove(room_id)

    @forms
    async def test_a_robots_message_keeps_its_fields(self, world: World, form: Form) -> None:
        ann = await world.person()
        robot = await world.person(account_type=AccountType.ROBOT)
        room_id = await world.room(ann, robot)
        question = await world.send(ann, room_id, "what is it?")
        draft = builders.draft(
            "an answer",
            message_type="robot",
            robot_id=robot.user_id,
            robot_response_to=question.id,
            is_robot_visible_to_guests=True,
            reply_to_message_id=question.id,
            thread_id=question.id,
        )
        sent = (await world.perform(form, robot, lambda verbs: verbs.messages.send(room_id, draft))).message
        for field in (
            "robot_id",
            "robot_response_to",
            "is_robot_visible_to_guests",
            "reply_to_message_id",
            "thread_id",
        ):
            assert getattr(sent, field) == getattr(draft, field)
        assert (await world.history(room_id, ann))[-1] == sent

    @forms
    @pytest.mark.parametrize("muted_for", [-1, 0, 1, None])
    async def test_a_timed_mute_ends_at_its_time(self, world: World, form: Form, muted_for: float | None) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        now = world.harness.clock.advance()
        until = None
        if muted_for is not None:
            until = world.harness.clock.advance(muted_for)
            world.harness.clock.advance(-muted_for)
        await world.change_membership(room_id, ann, status=MembershipStatus.MUTED, muted_until=until)
        assert world.harness.clock() == now
        if until is not None and until <= now:
            await world.perform(form, ann, lambda verbs: verbs.messages.send(room_id, builders.draft()))
        else:
            with pytest.raises(Silenced):
                await world.perform(form, ann, lambda verbs: verbs.messages.send(room_id, builders.draft()))

    # ── order ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @forms
    @pytest.mark.parametrize("tail", [0, 7, (1 << 60) - 1])
    async def test_an_id_not_above_the_last_becomes_the_next_one(self, world: World, form: Form, tail: int) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        last = ids.made_at(world.harness.clock(), tail)
        for planted in (last, last, ids.first_at(world.harness.clock())):
            world.harness.ids.plant(planted)
            await world.perform(form, ann, lambda verbs: verbs.messages.send(room_id, builders.draft()))
        expected = [last, ids.successor(last), ids.successor(ids.successor(last))]
        assert [m.id for m in await world.history(room_id)] == expected
        await world.prove(room_id)

    async def test_a_clock_set_back_changes_no_order(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        first = await world.send(ann, room_id)
        world.harness.clock.advance(-3600)
        second = (await world.once(ann).messages.send(room_id, builders.draft())).message
        world.harness.clock.advance(3600)
        assert second.created_at < first.created_at
        assert second.id > first.id
        assert [m.position for m in await world.history(room_id)] == [1, 2]

    async def test_many_at_once_are_numbered_without_a_gap(self, world: World) -> None:
        people = await world.persons(5)
        room_id = await world.room(*people)
        results = await asyncio.gather(
            *(world.once(people[n % 5]).messages.send(room_id, builders.draft(str(n))) for n in range(20))
        )
        assert sorted(r.message.position for r in results) == list(range(1, 21))
        await world.prove(room_id)

    # ── keys ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @forms
    @pytest.mark.parametrize("since", SINCE)
    @pytest.mark.spec("2.18")
    async def test_a_repeat_returns_the_first_message(self, world: World, form: Form, since: str) -> None:
        ann, bob = await world.persons(2)
        room_id, draft = await world.room(ann, bob), builders.draft("once")
        first = await world.perform(form, ann, lambda verbs: verbs.messages.send(room_id, draft))
        await SINCE[since](world, first.message)
        before = await world.snapshot(room_id)
        world.harness.clock.advance()
        again = await world.perform(form, ann, lambda verbs: verbs.messages.send(room_id, draft))
        assert (again.message, again.repeated) == (first.message, True)
        assert await world.snapshot(room_id) == before
        with pytest.raises(ClientKeyReused):
            await world.perform(
                form, ann, lambda verbs: verbs.messages.send(room_id, draft.changed(content="something else"))
            )
        assert await world.snapshot(room_id) == before

    @forms
    @pytest.mark.spec("2.18")
    async def test_a_repeat_returns_the_message_as_it_is_now(self, world: World, form: Form) -> None:
        ann = await world.person()
        room_id, draft = await world.room(ann), builders.draft("once")
        first = (await world.once(ann).messages.send(room_id, draft)).message
        edited = await world.once(ann).messages.edit(room_id, first.id, "edited")
        again = await world.perform(form, ann, lambda verbs: verbs.messages.send(room_id, draft))
        assert (again.message, again.repeated) == (edited, True)
        tombstone = await world.once(ann).messages.delete(room_id, first.id)
        again = await world.perform(form, ann, lambda verbs: verbs.messages.send(room_id, draft))
        assert (again.message, again.repeated) == (tombstone, True)
        assert again.message.content == ""

    @forms
    @pytest.mark.spec("2.18")
    async def test_a_repeat_by_the_application(self, world: World, form: Form) -> None:
        room_id, draft = await world.room(), builders.draft("welcome", message_type="system")
        first = await world.perform(form, world.system, lambda verbs: verbs.messages.send(room_id, draft))
        again = await world.perform(form, world.system, lambda verbs: verbs.messages.send(room_id, draft))
        assert (again.message, first.repeated, again.repeated) == (first.message, False, True)
        assert len(await world.history(room_id)) == 1

    @forms
    @pytest.mark.parametrize(
        "change",
        [
            {"content": "hello "},
            {"message_type": "graph"},
            {"metadata": {"a": 1}},
            {"reply_to_message_id": "old"},
            {"thread_id": "old"},
        ],
        ids=str,
    )
    @pytest.mark.spec("2.18")
    async def test_a_key_stands_for_one_body(self, world: World, form: Form, change: dict[str, Any]) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        old = await world.send(ann, room_id)
        draft = builders.draft("hello")
        await world.once(ann).messages.send(room_id, draft)
        before = await world.snapshot(room_id)
        other = draft.changed(**{k: old.id if v == "old" else v for k, v in change.items()})
        with pytest.raises(ClientKeyReused):
            await world.perform(form, ann, lambda verbs: verbs.messages.send(room_id, other))
        assert await world.snapshot(room_id) == before

    @forms
    @pytest.mark.spec("2.18")
    async def test_a_key_belongs_to_one_sender_in_one_room(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        rooms = [await world.room(ann, bob) for _ in range(2)]
        for room_id in rooms:
            for actor in (ann, bob):
                sent = await world.perform(
                    form,
                    actor,
                    lambda v, r=room_id: v.messages.send(r, builders.draft(f"to {r}", client_key="1")),  # type: ignore[misc]  # a default binds the loop's value
                )
                assert sent.repeated is False
            assert len(await world.history(room_id)) == 2

    @pytest.mark.parametrize(("one", "other"), [("Key", "key"), ("key", "key "), ("é", "e\u0301")])
    @pytest.mark.spec("2.18")
    async def test_keys_are_compared_to_the_letter(self, world: World, one: str, other: str) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        for key in (one, other):
            assert (await world.once(ann).messages.send(room_id, builders.draft(client_key=key))).repeated is False

    @pytest.mark.spec("2.18")
    async def test_what_was_undone_is_not_remembered(self, world: World) -> None:
        ann = await world.person()
        room_id, draft = await world.room(ann), builders.draft("once")
        async with world.unit(ann) as uow:
            first = await uow.messages.send(room_id, draft)
            again = await uow.messages.send(room_id, draft)
            assert (again.message, again.repeated) == (first.message, True)
        sent = await world.once(ann).messages.send(room_id, draft.changed(content="another body"))
        assert (sent.repeated, sent.message.position) == (False, 1)

    @pytest.mark.spec("2.18")
    async def test_of_many_repeats_at_once_one_is_stored(self, world: World) -> None:
        ann = await world.person()
        room_id, draft = await world.room(ann), builders.draft("once")
        results = await asyncio.gather(*(world.once(ann).messages.send(room_id, draft) for _ in range(12)))
        assert sorted(r.repeated for r in results) == [False] + [True] * 11
        assert {r.message for r in results} == {(await world.history(room_id))[0]}
        await world.prove(room_id)

    # ── the sender's own mark ─────────────────────────────────────────────────────────────────────────────────────

    @forms
    async def test_sending_reads_ones_own_message_when_nothing_was_unread(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        await world.send(bob, room_id)
        before = await world.membership(room_id, ann)
        assert before is not None
        await world.perform(form, ann, lambda verbs: verbs.messages.send(room_id, builders.draft()))
        assert await world.membership(room_id, ann) == before, "something was unread: the mark stays"
        await world.once(ann).reading.mark_all_read()
        at = world.harness.clock.advance()
        sent = (await world.perform(form, ann, lambda v: v.messages.send(room_id, builders.draft()))).message
        assert await world.membership(room_id, ann) == before.changed(
            last_read_position=3, last_read_message_id=sent.id, last_read_at=at
        )
        assert ann.user_id not in {r.user_id for r in await world.reader(bob).reading.readers(room_id, sent.id)}
        assert (await world.prove_unread(ann), await world.prove_unread(bob)) == ({room_id: 0}, {room_id: 2})

    async def test_what_does_not_count_does_not_hold_the_mark_back(self, world: World) -> None:
        """A system message and a deleted one lie between the mark and the new message; nothing there was unread."""
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        await world.delete(bob, await world.send(bob, room_id))
        await world.send(world.system, room_id, "bob joined", message_type="system")
        sent = await world.send(ann, room_id)
        membership = await world.membership(room_id, ann)
        assert membership is not None
        assert (membership.last_read_position, membership.last_read_message_id) == (3, sent.id)

    async def test_the_application_has_no_mark_to_move(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        before = await world.membership(room_id, ann)
        await world.send(world.system, room_id, "hello", message_type="system")
        assert await world.membership(room_id, ann) == before
