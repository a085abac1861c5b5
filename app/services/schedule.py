"""Messages to be sent later, and the worker that sends them (SPEC 3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.actors import Actor
from app.domain.errors import ChatError, OutcomeUnknown, Unavailable
from app.domain.ids import RoomId, ScheduledId
from app.domain.messaging import CONTENT_MAX, Draft, Sent
from app.domain.pages import DEFAULT_LIMIT, Page
from app.domain.schedule import LEASE, Scheduled, ScheduledMessage, ScheduleStatus, Settlement, backoff
from app.domain.unit_of_work import Store

from . import arguments
from .retrying import retrying


@dataclass(frozen=True, slots=True)
class Run:
    """What a worker did with what it claimed. None claimed: nothing is due."""

    sent: int = 0
    failed: int = 0
    retried: int = 0

    @property
    def claimed(self) -> int:
        return self.sent + self.failed + self.retried


class ScheduleService:
    """A person's scheduled messages, and `run_due`, which any number of workers call as often as they like.

    Ids may be given as UUID, UUID text or ULID text; other text is `Invalid`.
    """

    def __init__(self, store: Store, message_max_length: int = CONTENT_MAX) -> None:
        self._store = store
        self._longest = message_max_length

    @retrying
    async def schedule(self, actor: Actor, room_id: RoomId | str, draft: Draft, due_at: datetime) -> Scheduled:
        """Keeps a draft to be sent when it is due. The same draft again returns the first, whatever became of it.

        Whether it may be sent is judged then: a refusal ends it as failed, with the refusal's code. Raises `Invalid`,
        `RoomNotFound`, `ClientKeyReused`, `RoomNotActive`, `NotAMember`, `AccountInactive`.
        """
        arguments.person(actor)
        wanted = arguments.room_id(room_id)
        arguments.content(draft.content, self._longest)
        return await self._store.once(actor).schedule.schedule(wanted, draft, due_at)

    @retrying
    async def reschedule(self, actor: Actor, scheduled_id: ScheduledId | str, due_at: datetime) -> ScheduledMessage:
        """Sets another time for a pending message. Raises `Invalid`, `ScheduledNotFound`, `AccountInactive`,
        `NotPending`."""
        return await self._store.once(actor).schedule.reschedule(arguments.scheduled_id(scheduled_id), due_at)

    @retrying
    async def cancel(self, actor: Actor, scheduled_id: ScheduledId | str) -> ScheduledMessage:
        """Cancels a pending message. Raises `ScheduledNotFound`, `NotPending`."""
        return await self._store.once(actor).schedule.cancel(arguments.scheduled_id(scheduled_id))

    async def get(self, actor: Actor, scheduled_id: ScheduledId | str) -> ScheduledMessage:
        """One of one's own. Raises `ScheduledNotFound`."""
        return await self._store.reader(actor).schedule.find(arguments.scheduled_id(scheduled_id))

    async def mine(
        self,
        actor: Actor,
        *,
        status: ScheduleStatus | str | None = None,
        after: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> Page[ScheduledMessage]:
        """One's own, all or of one status, the first due first. Raises `Invalid`, `InvalidCursor`."""
        arguments.person(actor)
        wanted = None if status is None else arguments.one_of(ScheduleStatus, status, "status")
        return await self._store.reader(actor).schedule.mine(status=wanted, after=arguments.cursor(after), limit=limit)

    async def run_due(self, actor: Actor, *, limit: int = 50, lease: timedelta = LEASE) -> Run:
        """Claims at most `limit` messages of the tenant that are due, sends them, and writes down what came of each.

        For the application. Safe to be killed anywhere: what was claimed is free again when the lease ends, and is sent
        under its own key. A refusal fails a message at once, a store that is not there puts it off (`backoff`). Raises
        `Unavailable` when even that cannot be written down.
        """
        claimed = await self._claim(actor, limit, lease)
        ends: list[ScheduleStatus] = []
        for message in claimed:
            settlement = await self._sent(actor, message)
            if await self._settle(actor, message, settlement):
                ends.append(settlement.status)
        return Run(
            sent=ends.count(ScheduleStatus.SENT),
            failed=ends.count(ScheduleStatus.FAILED),
            retried=ends.count(ScheduleStatus.PENDING),
        )

    @retrying
    async def _claim(self, actor: Actor, limit: int, lease: timedelta) -> tuple[ScheduledMessage, ...]:
        return await self._store.once(actor).schedule.claim_due(limit, lease)

    @retrying
    async def _settle(self, actor: Actor, message: ScheduledMessage, settlement: Settlement) -> bool:
        return await self._store.once(actor).schedule.settle(message, settlement)

    async def _sent(self, actor: Actor, message: ScheduledMessage) -> Settlement:
        sender = Actor(user_id=message.user_id, tenant_id=message.tenant_id, correlation_id=actor.correlation_id)
        try:
            sent = await self._send(sender, message)
        except (Unavailable, OutcomeUnknown) as error:
            return Settlement(error=error.code, retry_in=backoff(message.attempts))
        except ChatError as error:
            return Settlement(error=error.code)
        return Settlement(message_id=sent.message.id)

    @retrying
    async def _send(self, sender: Actor, message: ScheduledMessage) -> Sent:
        return await self._store.once(sender).messages.send(message.room_id, message.draft)
