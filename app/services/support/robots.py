"""A robot's turn: asked by a message, taken up, answered or given up (SPEC 3.8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.domain import access
from app.domain.access import Permission
from app.domain.actors import Actor
from app.domain.documents import Document
from app.domain.events import Change, EventKind
from app.domain.identity import User
from app.domain.ids import Ids, InteractionId, MessageId, RoomId, UserId
from app.domain.messaging import Draft, MessageType
from app.domain.pages import DEFAULT_LIMIT, Page
from app.domain.rooms import require_active
from app.domain.support import Past
from app.domain.support.permissions import NotTheRobot, require_robot
from app.domain.support.robots import InteractionNotFound, InteractionStatus, RobotInteraction, Turn
from app.domain.unit_of_work import Store, UnitOfWork
from app.services import arguments
from app.services.acting import acting, held
from app.services.retrying import retrying

from .reading import require_supervising


class RobotService:
    """What robots are asked and answer. A robot acts as itself, or the application for it."""

    def __init__(self, store: Store, ids: Ids) -> None:
        self._store = store
        self._ids = ids

    @retrying
    async def ask(
        self, actor: Actor, room_id: RoomId | str, robot_id: UserId | str, draft: Draft, request: Mapping[str, Any]
    ) -> Turn:
        """Sends a message and asks a robot with it, both or neither. The same draft again returns the first turn.

        Raises as `MessagingService.send`, `NotAllowed`, `UserNotFound`, `NotARobot`, `Invalid`.
        """
        wanted, robot = arguments.room_id(room_id), arguments.user_id(robot_id, "robot_id")
        asked = arguments.document(request, "request", required=True)
        async with self._store.unit_of_work(actor) as uow:
            user = await acting(uow)
            sent = await uow.messages.send(wanted, draft)
            if sent.repeated:
                for before in await uow.robots.find_by_message(wanted, sent.message.id):
                    if before.robot_id == robot:
                        return Turn(before, sent.message)
            if user is not None:
                access.require(await uow.rooms.seat(wanted), Permission.ASK_ROBOT)
            interaction = self._new(uow, wanted, sent.message.id, robot, asked)
            await uow.robots.begin(interaction)
            await uow.commit()
        return Turn(interaction, sent.message)

    @retrying
    async def begin(
        self,
        actor: Actor,
        room_id: RoomId | str,
        message_id: MessageId | str,
        robot_id: UserId | str,
        request: Mapping[str, Any],
    ) -> RobotInteraction:
        """Asks a robot with a message that was sent before.

        Raises `RoomNotFound`, `NotAMember`, `NotAllowed`, `RoomNotActive`, `MessageNotFound`, `UserNotFound`,
        `NotARobot`, `AlreadyAsked`, `Invalid`.
        """
        wanted, message = arguments.room_id(room_id), arguments.message_id(message_id)
        robot, asked = arguments.user_id(robot_id, "robot_id"), arguments.document(request, "request", required=True)
        async with self._store.unit_of_work(actor) as uow:
            occupancy, seat = await held(uow, wanted, robot)
            if seat is not None:
                access.require(seat, Permission.ASK_ROBOT)
            require_active(occupancy.room)
            await uow.messages.find(wanted, message)
            interaction = self._new(uow, wanted, message, robot, asked)
            await uow.robots.begin(interaction)
            await uow.commit()
        return interaction

    @retrying
    async def start_next(self, actor: Actor, robot_id: UserId | str | None = None) -> RobotInteraction | None:
        """Takes up the oldest pending interaction, of one robot or (the application) of any; None without any.

        Of many workers at once each gets another. Raises `NotTheRobot`, `Invalid`.
        """
        wanted = None if robot_id is None else arguments.user_id(robot_id, "robot_id")
        async with self._store.unit_of_work(actor) as uow:
            user = await acting(uow)
            if user is not None:
                wanted = wanted or user.id
                if wanted != user.id:
                    raise NotTheRobot(robot_id=str(wanted))
            found = await uow.robots.hold_next(wanted)
            if found is None:
                return None
            started = await uow.robots.save(found.started(uow.now))
            await uow.commit()
        return started

    @retrying
    async def start(
        self, actor: Actor, room_id: RoomId | str, message_id: MessageId | str, interaction_id: InteractionId | str
    ) -> RobotInteraction:
        """Takes up a given interaction. Raises `InteractionNotFound`, `NotTheRobot`, `WrongInteractionStep`."""
        key = _key(room_id, message_id, interaction_id)
        async with self._store.unit_of_work(actor) as uow:
            interaction = await _held(uow, await acting(uow), *key)
            started = await uow.robots.save(interaction.started(uow.now))
            await uow.commit()
        return started

    @retrying
    async def complete(
        self,
        actor: Actor,
        room_id: RoomId | str,
        message_id: MessageId | str,
        interaction_id: InteractionId | str,
        response: Mapping[str, Any],
        *,
        observation: Mapping[str, Any] | None = None,
        answer: Draft | None = None,
    ) -> Turn:
        """Stores what came back and sends the robot's answer, both or neither.

        The answer becomes a robot's message in reply to the one that asked. Raises `InteractionNotFound`,
        `NotTheRobot`, `WrongInteractionStep`, `Invalid`, and for an answer as `MessagingService.send`.
        """
        key = _key(room_id, message_id, interaction_id)
        came_back, observed = (
            arguments.document(response, "response", required=True),
            arguments.document(observation, "observation"),
        )
        async with self._store.unit_of_work(actor) as uow:
            interaction = await _held(uow, await acting(uow), *key)
            saved = await uow.robots.save(interaction.completed(came_back, observed, uow.now))
            message = None
            if answer is not None:
                reply = answer.changed(
                    message_type=MessageType.ROBOT,
                    robot_id=interaction.robot_id,
                    robot_response_to=interaction.message_id,
                )
                message = (await uow.messages.send(interaction.room_id, reply)).message
            _record(uow, interaction, EventKind.ROBOT_COMPLETED)
            await uow.commit()
        return Turn(saved, message)

    @retrying
    async def fail(
        self,
        actor: Actor,
        room_id: RoomId | str,
        message_id: MessageId | str,
        interaction_id: InteractionId | str,
        error_message: str,
    ) -> RobotInteraction:
        """Gives up, with what went wrong; the robot may then be asked again by the same message.

        Raises `InteractionNotFound`, `NotTheRobot`, `WrongInteractionStep`, `Invalid`.
        """
        key = _key(room_id, message_id, interaction_id)
        async with self._store.unit_of_work(actor) as uow:
            interaction = await _held(uow, await acting(uow), *key)
            failed = await uow.robots.save(interaction.failed(error_message, uow.now))
            _record(uow, interaction, EventKind.ROBOT_FAILED)
            await uow.commit()
        return failed

    async def get(
        self, actor: Actor, room_id: RoomId | str, message_id: MessageId | str, interaction_id: InteractionId | str
    ) -> RobotInteraction:
        """An interaction at a message the actor may see; a guest not what came back.

        Raises `RoomNotFound`, `NotAMember`, `MessageNotFound`, `InteractionNotFound`.
        """
        wanted = arguments.interaction_id(interaction_id)
        for interaction in await self.find_by_message(actor, room_id, message_id):
            if interaction.id == wanted:
                return interaction
        raise InteractionNotFound(interaction_id=str(wanted))

    async def find_by_message(
        self, actor: Actor, room_id: RoomId | str, message_id: MessageId | str
    ) -> tuple[RobotInteraction, ...]:
        """What a message the actor may see has asked, in the order asked; a guest not what came back.

        Raises `RoomNotFound`, `NotAMember`, `MessageNotFound`.
        """
        room, message = arguments.room_id(room_id), arguments.message_id(message_id)
        reader = self._store.reader(actor)
        membership = None if actor.user_id is None else (await reader.rooms.seat(room)).membership
        await reader.messages.find(room, message, include_deleted=True)
        found = await reader.robots.find_by_message(room, message)
        return tuple(interaction.shown_to(membership) for interaction in found)

    async def find_by_status(
        self,
        actor: Actor,
        status: InteractionStatus | str,
        after: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> Page[RobotInteraction]:
        """Interactions of a status, the oldest first, `newer` continuing: for supervisors.

        Raises `NotAllowed`, `Invalid`, `InvalidCursor`.
        """
        wanted = arguments.one_of(InteractionStatus, status, "status")
        reader = self._store.reader(actor)
        await require_supervising(reader, actor)
        return await reader.robots.find_by_status(wanted, arguments.cursor(after), limit)

    async def find_by_robot(
        self, actor: Actor, robot_id: UserId | str, before: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> Page[RobotInteraction]:
        """The newest interactions of a robot, `older` continuing: for the robot itself and supervisors.

        Raises `NotAllowed`, `Invalid`, `InvalidCursor`.
        """
        wanted = arguments.user_id(robot_id, "robot_id")
        reader = self._store.reader(actor)
        if wanted != actor.user_id:
            await require_supervising(reader, actor)
        return await reader.robots.find_by_robot(wanted, arguments.cursor(before), limit)

    async def history(
        self, actor: Actor, room_id: RoomId | str, message_id: MessageId | str, interaction_id: InteractionId | str
    ) -> tuple[Past[RobotInteraction], ...]:
        """What an interaction was before each step, oldest first: for supervisors. Raises `NotAllowed`."""
        key = _key(room_id, message_id, interaction_id)
        reader = self._store.reader(actor)
        await require_supervising(reader, actor)
        return await reader.robots.history(*key)

    def _new(
        self, uow: UnitOfWork, room_id: RoomId, message_id: MessageId, robot_id: UserId, request: Document
    ) -> RobotInteraction:
        return RobotInteraction(
            id=InteractionId(self._ids()),
            room_id=room_id,
            message_id=message_id,
            tenant_id=uow.actor.tenant_id,
            robot_id=robot_id,
            request_data=request,
            created_at=uow.now,
            updated_at=uow.now,
        )


async def _held(
    uow: UnitOfWork, user: User | None, room_id: RoomId, message_id: MessageId, interaction_id: InteractionId
) -> RobotInteraction:
    interaction = await uow.robots.hold(room_id, message_id, interaction_id)
    require_robot(interaction, user)
    return interaction


def _record(uow: UnitOfWork, interaction: RobotInteraction, kind: EventKind) -> None:
    uow.record(
        Change(room_id=interaction.room_id, kind=kind, message_id=interaction.message_id, user_id=interaction.robot_id)
    )


def _key(
    room_id: RoomId | str, message_id: MessageId | str, interaction_id: InteractionId | str
) -> tuple[RoomId, MessageId, InteractionId]:
    return arguments.room_id(room_id), arguments.message_id(message_id), arguments.interaction_id(interaction_id)
