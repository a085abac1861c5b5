"""The contract of answers written in chunks (SPEC 3.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from app.domain.actors import Actor
from app.domain.answers import ERROR_MAX, STALE, Answer, Chunk, ChunkOutOfPlace, Failure, NotStreaming
from app.domain.errors import ChatError, Invalid
from app.domain.events import EventKind
from app.domain.identity import AccountInactive, AccountStatus, AccountType
from app.domain.ids import MessageId, RoomId
from app.domain.messaging import (
    CONTENT_MAX,
    ClientKeyReused,
    DeliveryStatus,
    EmptyContent,
    Message,
    MessageNotFound,
    NotTheAuthor,
    WrongMessageType,
)
from app.domain.pages import MAX_LIMIT
from app.domain.rooms import RoomNotActive, RoomNotFound, RoomStatus
from app.domain.rooms.members import MembershipStatus, NotAMember, Role
from app.domain.unit_of_work import Once
from app.testing import builders
from app.testing.contracts.base import Contract, blocked, forms, goes_through, released
from app.testing.world import NO_MESSAGE, NO_ROOM, Form, World

Verb = Callable[[Once, RoomId, MessageId], Awaitable[Any]]

VERBS: dict[str, Verb] = {
    "append": lambda v, r, m: v.answers.append(r, m, Chunk(offset=2, text="!")),
    "finish": lambda v, r, m: v.answers.finish(r, m),
    "fail": lambda v, r, m: v.answers.fail(r, m, Failure(error="broken")),
}


async def begin(world: World, actor: Actor, room_id: RoomId, content: str = "so", **fields: Any) -> Message:
    world.harness.clock.advance()
    return (await world.once(actor).messages.send(room_id, Answer(content=content, **fields))).message


@pytest.mark.spec("3.4")
class AnswersContract(Contract):
    """An answer from its first word to its end."""

    async def _robot(self, world: World) -> tuple[Actor, Actor, RoomId]:
        ann, robot = await world.person(), await world.person(account_type=AccountType.ROBOT)
        return ann, robot, await world.room(ann, robot)

    @forms
    async def test_chunks_add_up_and_are_read_as_they_come(self, world: World, form: Form) -> None:
        ann, robot, room_id = await self._robot(world)
        question = await world.send(ann, room_id)
        answer = Answer(robot_id=robot.user_id, robot_response_to=question.id, metadata={"model": "m"})  # type: ignore[arg-type]  # any mapping
        sent = await world.perform(form, robot, lambda v: v.messages.send(room_id, answer))
        message = sent.message
        assert (message.content, message.delivery_status, message.position) == ("", DeliveryStatus.STREAMING, 2)
        assert await world.perform(form, robot, lambda v: v.messages.send(room_id, answer)) == type(sent)(message, True)
        said, expected = "", message
        for text in ("It is ", "\U0001f600\u00e9 ", "so."):
            at = world.harness.clock.advance()
            chunk = Chunk(offset=len(said), text=text)
            for _ in range(2):  # a chunk whose answer was lost is sent again
                length = await world.perform(
                    form,
                    robot,
                    lambda v, c=chunk: v.answers.append(room_id, message.id, c),  # type: ignore[misc]  # a default binds the loop's value
                )
                assert length == len(said) + len(text)
            said += text
            expected = message.changed(content=said, updated_at=at)
            assert await world.reader(ann).messages.find(room_id, message.id) == expected
        before = await world.events(room_id)
        assert [event.kind for event in before] == [EventKind.MESSAGE_SENT] * 2, "no event for a chunk"
        at, finished = world.harness.clock.advance(), expected
        for _ in range(2):
            finished = await world.perform(
                form, robot, lambda v: v.answers.finish(room_id, message.id, length=len(said))
            )
            assert finished == expected.changed(delivery_status=DeliveryStatus.DELIVERED, updated_at=at)
        assert (finished.is_edited, finished.version) == (False, 1)
        (event,) = (await world.events(room_id))[2:]
        assert (event.kind, event.message_id) == (EventKind.MESSAGE_FINISHED, message.id)
        assert await world.prove_unread(ann) == {room_id: 1}
        await world.prove(room_id)

    @forms
    async def test_a_chunk_has_its_place(self, world: World, form: Form) -> None:
        _, robot, room_id = await self._robot(world)
        message = await begin(world, robot, room_id, "abc")

        async def append(offset: int, text: str) -> int:
            chunk = Chunk(offset=offset, text=text)
            return int(await world.perform(form, robot, lambda v: v.answers.append(room_id, message.id, chunk)))

        for offset, text in ((4, "d"), (2, "cd"), (0, "b"), (1, "ab"), (2, "x")):
            with pytest.raises(ChunkOutOfPlace):
                await append(offset, text)
        assert [await append(0, "abc"), await append(1, "b"), await append(3, "de"), await append(1, "bcde")] == [
            *(3, 3),
            *(5, 5),
        ]
        assert (await world.reader().messages.find(room_id, message.id)).content == "abcde"
        with pytest.raises(ChunkOutOfPlace):
            await world.perform(form, robot, lambda v: v.answers.finish(room_id, message.id, length=4))

    async def test_how_long_an_answer_may_be(self, world: World) -> None:
        _, robot, room_id = await self._robot(world)
        longest = "\U0001f600" * (CONTENT_MAX - 1)
        message = await begin(world, robot, room_id, longest)
        chunk = Chunk(offset=CONTENT_MAX - 1, text="!")
        assert await world.once(robot).answers.append(room_id, message.id, chunk) == CONTENT_MAX
        for offset, text in ((CONTENT_MAX, "!"), (0, "x" * (CONTENT_MAX + 1)), (-1, "x"), (0, ""), (0, "\x00")):
            with pytest.raises(Invalid):
                Chunk(offset=offset, text=text)
        for error in ("", "x" * (ERROR_MAX + 1), "\ud800"):
            with pytest.raises(Invalid):
                Failure(error=error)
        for length in (-1, True, CONTENT_MAX + 1):
            with pytest.raises(Invalid):
                await world.once(robot).answers.finish(room_id, message.id, length=length)

    @forms
    async def test_an_answer_that_fails_keeps_what_it_said(self, world: World, form: Form) -> None:
        ann, robot, room_id = await self._robot(world)
        for content, metadata in (("so far", {"model": "m", "error": "old"}), ("", {})):
            message = await begin(world, robot, room_id, content, metadata=metadata)
            at, failed = world.harness.clock.advance(), message
            for error in ("out of breath", "again"):
                failed = await world.perform(
                    form,
                    robot,
                    lambda v, m=message, e=error: v.answers.fail(room_id, m.id, Failure(error=e)),  # type: ignore[misc]  # a default binds the loop's value
                )
            assert failed == message.changed(
                delivery_status=DeliveryStatus.FAILED,
                metadata={**metadata, "error": "out of breath"},
                updated_at=at,
            )
            assert await world.reader(ann).messages.find(room_id, message.id) == failed
            for verb in ("append", "finish"):
                with pytest.raises(NotStreaming):
                    await world.perform(form, robot, lambda v, n=verb, m=message: VERBS[n](v, room_id, m.id))  # type: ignore[misc]  # a default binds the loop's value
        assert [e.kind for e in await world.events(room_id)] == [EventKind.MESSAGE_SENT, EventKind.MESSAGE_FINISHED] * 2
        await world.prove(room_id)

    @forms
    async def test_what_has_ended_or_never_was_one(self, world: World, form: Form) -> None:
        ann, robot, room_id = await self._robot(world)
        text = await world.send(ann, room_id)
        done = await begin(world, robot, room_id)
        await world.once(robot).answers.finish(room_id, done.id)
        empty = await begin(world, robot, room_id, "")
        before = await world.snapshot(room_id)
        for actor, message, verb, error in (
            (ann, text, "append", NotStreaming),
            (ann, text, "fail", NotStreaming),
            (robot, done, "append", NotStreaming),
            (robot, done, "fail", NotStreaming),
            (robot, empty, "finish", EmptyContent),
        ):
            with pytest.raises(error):
                await world.perform(form, actor, lambda v, n=verb, m=message: VERBS[n](v, room_id, m.id))  # type: ignore[misc]  # a default binds the loop's value
        assert await world.snapshot(room_id) == before

    @forms
    @pytest.mark.parametrize("verb", VERBS)
    async def test_only_the_robot_and_the_application(self, world: World, form: Form, verb: str) -> None:
        ann, robot, room_id = await self._robot(world)
        other = await world.person(account_type=AccountType.ROBOT)
        await world.join(room_id, other)
        message = await begin(world, robot, room_id)
        stranger = await (await World.new(world.harness)).person()
        for actor, where, what, error in (
            (ann, room_id, message.id, NotTheAuthor),
            (other, room_id, message.id, NotTheAuthor),
            (robot, room_id, NO_MESSAGE, MessageNotFound),
            (robot, NO_ROOM, message.id, RoomNotFound),
            (stranger, room_id, message.id, RoomNotFound),
            (await world.person(), room_id, message.id, NotAMember),
        ):
            with pytest.raises(error):
                await world.perform(form, actor, lambda v, w=where, m=what: VERBS[verb](v, w, m))  # type: ignore[misc]  # a default binds the loop's value
        await world.perform(form, world.system, lambda v: VERBS[verb](v, room_id, message.id))

    @forms
    @pytest.mark.parametrize("verb", VERBS)
    @pytest.mark.parametrize("spoilt", ["closed", "left", "barred", "deleted", "guest"])
    async def test_a_broken_rule_refuses(self, world: World, form: Form, verb: str, spoilt: str) -> None:
        _, robot, room_id = await self._robot(world)
        message = await begin(world, robot, room_id)
        error: type[ChatError]
        match spoilt:
            case "closed":
                await world.change_room(room_id, status=RoomStatus.CLOSED)
                error = RoomNotActive
            case "left":
                await world.leave(room_id, robot, MembershipStatus.BANNED)
                error = NotAMember
            case "barred":
                await world.change_account(robot, account_status=AccountStatus.SUSPENDED)
                error = AccountInactive
            case "deleted":
                await world.delete(robot, message)
                error = MessageNotFound
            case _:
                await world.change_membership(room_id, robot, role=Role.GUEST)
                error = MessageNotFound
        before = await world.snapshot(room_id)
        with pytest.raises(error):
            await world.perform(form, robot, lambda v: VERBS[verb](v, room_id, message.id))
        assert await world.snapshot(room_id) == before

    async def test_who_may_begin_one(self, world: World) -> None:
        ann, robot, room_id = await self._robot(world)
        with pytest.raises(WrongMessageType):
            await begin(world, ann, room_id)
        with pytest.raises(Invalid):
            Answer(message_type="text", content="x")  # type: ignore[arg-type]  # its value
        root = await begin(world, robot, room_id, client_key="k")
        with pytest.raises(ClientKeyReused):
            await world.once(robot).messages.send(room_id, builders.draft("so", message_type="robot", client_key="k"))
        await begin(world, world.system, room_id, thread_id=root.id)
        await world.prove(room_id)

    async def test_a_chunk_waits_for_nobody_in_the_room(self, world: World) -> None:
        ann, robot, room_id = await self._robot(world)
        message = await begin(world, robot, room_id)
        async with world.unit(ann) as uow:
            await uow.messages.send(room_id, builders.draft())
            chunk = Chunk(offset=2, text=" it is")
            await goes_through(world.harness, world.once(robot).answers.append(room_id, message.id, chunk))
            await uow.commit()

    @pytest.mark.parametrize("act", ["append", "delete"])
    async def test_two_writers_meet_at_the_message(self, world: World, act: str) -> None:
        _, robot, room_id = await self._robot(world)
        message = await begin(world, robot, room_id)
        chunk = Chunk(offset=2, text="!")
        async with world.unit(robot) as uow:
            await uow.answers.append(room_id, message.id, chunk)
            once = world.once(robot)
            call: Any = (
                once.answers.append(room_id, message.id, chunk)
                if act == "append"
                else once.messages.delete(room_id, message.id)
            )
            waiting = await blocked(world.harness, call)
            await uow.commit()
        result = await released(world.harness, waiting)
        if act == "append":
            assert result == 3
            assert (await world.reader().messages.find(room_id, message.id)).content == "so!"
        else:
            assert result.deleted_at is not None


@pytest.mark.spec("3.4")
class StaleAnswersContract(Contract):
    """Answers that nobody writes on."""

    async def test_only_those_nothing_came_to_and_not_too_many(self, world: World) -> None:
        rooms = [await world.room() for _ in range(2)]
        made = [await begin(world, world.system, rooms[n % 2], str(n)) for n in range(6)]
        await world.once().answers.finish(rooms[0], made[0].id)
        await world.delete(world.system, made[1])
        elsewhere = await World.new(world.harness)
        await begin(elsewhere, elsewhere.system, await elsewhere.room())
        since = world.harness.clock.advance(60)
        await world.once().answers.append(rooms[0], made[2].id, Chunk(offset=1, text="!"))
        at = world.harness.clock.advance(1)
        events = [len(await world.events(room_id)) for room_id in rooms]
        found = await world.once().answers.fail_stale(since, 2)
        assert found == (made[3].id, made[4].id)
        assert await world.once().answers.fail_stale(since, 2) == (made[5].id,)
        assert await world.once().answers.fail_stale(since, 2) == ()
        for message in made[3:]:
            failed = await world.reader().messages.find(message.room_id, message.id)
            assert failed == message.changed(
                delivery_status=DeliveryStatus.FAILED, metadata={"error": STALE}, updated_at=at
            )
        assert [len(await world.events(r)) - n for r, n in zip(rooms, events, strict=True)] == [1, 2]
        assert await elsewhere.once().answers.fail_stale(at - timedelta(hours=1), 5) == ()
        for room_id in rooms:
            await world.prove(room_id)

    async def test_bad_input(self, world: World) -> None:
        ann = await world.person()
        now = world.harness.clock()
        with pytest.raises(Invalid):
            await world.once(ann).answers.fail_stale(now, 5)
        for since, limit in ((now.replace(tzinfo=None), 5), (now, 0), (now, MAX_LIMIT + 1)):
            with pytest.raises(Invalid):
                await world.once().answers.fail_stale(since, limit)
