"""Drafts, messages to be sent later, and answers written in chunks: what is not said yet, or not wholly."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from app.domain.answers import Answer, Chunk, Failure
from app.domain.drafts import DraftText, SavedDraft
from app.domain.ids import NO_THREAD, MessageId, RoomId, ScheduledId
from app.domain.messaging import Draft, Sent
from app.domain.pages import Page
from app.domain.schedule import ScheduledMessage, Settlement
from app.domain.unit_of_work import Once, Reader
from app.testing import builders
from app.testing.sides import Act, Side
from app.testing.steps import BACK, FEW, ROOM, WHERE, WHO, Aim, Look, Steps, unblocked

SETTLEMENTS = st.sampled_from(
    [Settlement(error="not_a_member"), Settlement(error="unavailable", retry_in=timedelta(seconds=5))]
)


# ── drafts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def save_draft(room_id: RoomId, back: int | None, content: str, version: int | None) -> Act:
    async def act(side: Side, verbs: Once) -> SavedDraft | None:
        thread_id = NO_THREAD if back is None else side.message(back)
        text = DraftText(content=content)
        return await verbs.drafts.save(room_id, text, thread_id, expected_version=version)

    return act


def delete_draft(room_id: RoomId) -> Act:
    async def act(side: Side, verbs: Once) -> None:
        await verbs.drafts.delete(room_id)

    return act


# ── scheduled messages: told without their ids, which no message has ──────────────────────────────────────────────────


def _told(side: Side, message: ScheduledMessage) -> dict[str, Any]:
    known = side.kept.setdefault("scheduled", [])
    if message.id not in known:
        known.append(message.id)
    return {
        "number": known.index(message.id),
        **{k: v for k, v in dict(message).items() if k not in ("id", "metadata")},
    }


def _scheduled(side: Side, number: int) -> ScheduledId:
    known = side.kept.get("scheduled", [])
    return known[number % len(known)] if known else ScheduledId(NO_THREAD)


def plan(room_id: RoomId, key: str, seconds: float) -> Act:
    async def act(side: Side, verbs: Once) -> Any:
        due_at = side.harness.clock() + timedelta(seconds=seconds)
        scheduled = await verbs.schedule.schedule(room_id, Draft(content="later", client_key=key), due_at)
        return scheduled.repeated, sorted(_told(side, scheduled.message).items())

    return act


def replan(number: int, seconds: float | None) -> Act:
    async def act(side: Side, verbs: Once) -> Any:
        scheduled_id = _scheduled(side, number)
        if seconds is None:
            return sorted(_told(side, await verbs.schedule.cancel(scheduled_id)).items())
        due_at = side.harness.clock() + timedelta(seconds=seconds)
        return sorted(_told(side, await verbs.schedule.reschedule(scheduled_id, due_at)).items())

    return act


def claim(limit: int) -> Act:
    async def act(side: Side, verbs: Once) -> Any:
        claimed = await verbs.schedule.claim_due(limit)
        side.kept["claimed"] = claimed
        return [sorted(_told(side, message).items()) for message in claimed]

    return act


def settle(number: int, settlement: Settlement) -> Act:
    async def act(side: Side, verbs: Once) -> bool | None:
        claimed = side.kept.get("claimed", ())
        return await verbs.schedule.settle(claimed[number % len(claimed)], settlement) if claimed else None

    return act


# ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def begin(room_id: RoomId, content: str) -> Act:
    key = str(builders.new_id())

    async def act(side: Side, verbs: Once) -> Sent:
        return await verbs.messages.send(room_id, Answer(content=content, client_key=key))

    return act


def append(room_id: RoomId, back: int, offset: int) -> Act:
    async def act(side: Side, verbs: Once) -> int:
        return await verbs.answers.append(room_id, side.message(back), Chunk(offset=offset, text="on"))

    return act


def end(room_id: RoomId, back: int, error: str | None) -> Act:
    async def act(side: Side, verbs: Once) -> Any:
        if error is None:
            return await verbs.answers.finish(room_id, side.message(back))
        return await verbs.answers.fail(room_id, side.message(back), Failure(error=error))

    return act


def fail_stale(limit: int) -> Act:
    async def act(side: Side, verbs: Once) -> tuple[MessageId, ...]:
        return await verbs.answers.fail_stale(side.harness.clock(), limit)

    return act


async def _mine(side: Side, reader: Reader, aim: Aim) -> Page[SavedDraft]:
    return await reader.drafts.mine(limit=aim.limit)


async def _planned(side: Side, reader: Reader, aim: Aim) -> Any:
    page = await reader.schedule.mine(limit=aim.limit)
    return page.newer is not None, [sorted(_told(side, message).items()) for message in page.items]


async def _one_planned(side: Side, reader: Reader, aim: Aim) -> Any:
    return sorted(_told(side, await reader.schedule.find(_scheduled(side, aim.back))).items())


LOOKS: dict[str, Look] = {
    "a draft": lambda s, r, a: r.drafts.find(a.room_id),
    "my drafts": _mine,
    "my scheduled messages": _planned,
    "a scheduled message": _one_planned,
}


class Drafts(Steps):
    """People begin to write, and plan what to say; robots say it bit by bit."""

    @unblocked(
        where=WHERE,
        who=WHO,
        room=ROOM,
        back=st.sampled_from([None, None, 0, 1, 2]),
        content=st.sampled_from(["half", "half a", ""]),
        version=st.sampled_from([None, None, 0, 1]),
    )
    def save_draft(
        self, where: int | None, who: int, room: int, back: int | None, content: str, version: int | None
    ) -> None:
        self._do(where, who, save_draft(self._room(room), back, content, version), alone="once")

    @unblocked(where=WHERE, who=WHO, room=ROOM)
    def delete_draft(self, where: int | None, who: int, room: int) -> None:
        self._do(where, who, delete_draft(self._room(room)), alone="once")

    @unblocked(where=WHERE, who=WHO, room=ROOM, key=FEW, seconds=st.sampled_from([0, 0.0005, 1, 5]))
    def plan(self, where: int | None, who: int, room: int, key: int, seconds: float) -> None:
        self._do(where, who, plan(self._room(room), f"plan {key}", seconds), alone="once")

    @unblocked(where=WHERE, who=WHO, number=FEW, seconds=st.sampled_from([None, 0, 1]))
    def replan(self, where: int | None, who: int, number: int, seconds: float | None) -> None:
        self._do(where, who, replan(number, seconds), alone="once")

    @unblocked(where=WHERE, who=st.sampled_from([5] * 5 + [0]), limit=st.sampled_from([1, 2, 50, 0]))
    def claim(self, where: int | None, who: int, limit: int) -> None:
        self._do(where, who, claim(limit), alone="once")

    @unblocked(where=WHERE, who=st.sampled_from([5] * 5 + [0]), number=FEW, settlement=SETTLEMENTS)
    def settle(self, where: int | None, who: int, number: int, settlement: Settlement) -> None:
        self._do(where, who, settle(number, settlement), alone="once")

    @unblocked(where=WHERE, who=st.sampled_from([4, 4, 5, 0]), room=ROOM, content=st.sampled_from(["", "so"]))
    def begin(self, where: int | None, who: int, room: int, content: str) -> None:
        self._do(where, who, begin(self._room(room), content), alone="once")

    @unblocked(where=WHERE, who=WHO, room=ROOM, back=BACK, offset=st.sampled_from([0, 0, 2, 2, 4]))
    def append(self, where: int | None, who: int, room: int, back: int, offset: int) -> None:
        who, room_id = self._aimed(who, room, back)
        self._do(where, who, append(room_id, back, offset), alone="once")

    @unblocked(where=WHERE, who=WHO, room=ROOM, back=BACK, error=st.sampled_from([None, None, "broken"]))
    def end_answer(self, where: int | None, who: int, room: int, back: int, error: str | None) -> None:
        who, room_id = self._aimed(who, room, back)
        self._do(where, who, end(room_id, back, error), alone="once")

    @unblocked(where=WHERE, who=st.sampled_from([5, 5, 0]), limit=st.sampled_from([1, 2, 50]))
    def fail_stale(self, where: int | None, who: int, limit: int) -> None:
        self._do(where, who, fail_stale(limit), alone="once")
