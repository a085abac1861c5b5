"""Every verb of the PostgreSQL adapter sends a fixed number of statements, however many rows it is about."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle, islice
from typing import Any

import pytest

from app.domain.access.roles import PATTERNS
from app.domain.answers import Chunk, Failure
from app.domain.credentials import Purpose
from app.domain.drafts import DraftText
from app.domain.events import Change, EventKind
from app.domain.files import FILES_PER_MESSAGE, ImportedFile, Swept
from app.domain.identity import CustomStatus, OnlineStatus, SettingsChange
from app.domain.imports import Taken
from app.domain.invitations import InvitationStatus
from app.domain.messaging import MessageType, Thread
from app.domain.pages import Page
from app.domain.schedule import Settlement
from app.domain.search import Indexed, Order, Search
from app.domain.support.escalations import LADDER
from app.domain.support.robots import InteractionStatus
from app.domain.unit_of_work import Once, Reader, UnitOfWork
from app.testing import builders
from app.testing.builders import unique
from app.testing.harness import START
from app.testing.world import NO_ROOM, user_of
from tests.conftest import DatabaseServer
from tests.contracts.postgres_harness import migrate, postgres_harness
from tests.contracts.statement_scene import EMOJI, KEY, LIMIT, Ledger, Scene

pytestmark = pytest.mark.postgres

AREAS = (
    *("identity", "identity.ports", "credentials", "blocks", "access", "supervision", "rooms", "rooms.ports"),
    *("invitations", "messaging", "messaging.ports", "threads", "drafts", "schedule", "answers", "reactions"),
    *("mentions", "pins", "reading", "imports", "search.ports", "files.ports", "support.ports"),
)
FEW, MANY = 1, 100
ELSEWHERE = ImportedFile(name="cat.gif", mime_type="image/gif", url="/cat.gif")
CHUNK, FAILURE = Chunk(offset=2, text="!"), Failure(error="broken")


@dataclass(frozen=True)
class Stage:
    """The statements of a store, and two scenes that differ in nothing but their size."""

    ledger: Ledger
    scenes: tuple[Scene, Scene]


@pytest.fixture(scope="module")
async def stage(database_server: DatabaseServer) -> AsyncIterator[Stage]:
    template = await database_server.template("contracts", migrate)
    async with database_server.database(template) as url, postgres_harness(url) as harness:
        ledger = Ledger(harness.store._engine)
        yield Stage(ledger, (await Scene.new(harness, FEW), await Scene.new(harness, MANY)))


async def nothing(scene: Scene) -> None:
    """What most verbs need to happen before."""


async def nothing_read(scene: Scene) -> None:
    """Ben has everything of every room before him."""
    async with scene.world.unit(scene.ben) as uow:
        for unread in await uow.reading.unread():
            page = await uow.messages.find_by_room(unread.room_id, limit=LIMIT)
            await uow.reading.mark_unread(unread.room_id, page.items[0].id)
        await uow.commit()


async def tokens_expired(scene: Scene) -> None:
    """As many tokens as the scene is large have expired."""
    async with scene.world.unit() as uow:
        for other in scene.others:
            await uow.credentials.issue(user_of(other), scene.token(Purpose.INVITATION, seconds=0))
        await uow.commit()


async def token_issued(scene: Scene) -> None:
    """Ann has a token to use."""
    async with scene.world.unit() as uow:
        await uow.credentials.issue(user_of(scene.ann), scene.token(Purpose.VERIFY_EMAIL))
        await uow.commit()


@dataclass(frozen=True)
class Verb:
    """A verb of a port and one way to call it."""

    port: str
    call: Callable[[Any, Scene], Awaitable[Any]]
    """Given a reader, `once` or a unit of work."""
    like: str = ""
    """Which way, where the port's verb stands here more than once."""
    by: str = "ann"
    budget: int = 1
    shows_size: bool = False
    """Whether as many rows come back as the scene is large: the proof that the call was about that many."""
    before: Callable[[Scene], Awaitable[None]] = nothing

    def __str__(self) -> str:
        return f"{self.port} {self.like}".strip()


READS = [
    Verb("TenantReader.find_by_slug", lambda to, s: to.tenants.find_by_slug(s.world.tenant.slug)),
    Verb("UserReader.find_by_id", lambda to, s: to.users.find_by_id(user_of(s.ben))),
    Verb("UserReader.find_by_email", lambda to, s: to.users.find_by_email("ANN@example.org")),
    Verb("UserReader.find_by_username", lambda to, s: to.users.find_by_username("ann")),
    Verb("UserReader.find_by_external_id", lambda to, s: to.users.find_by_external_id("crm-1")),
    Verb("UserReader.profile", lambda to, s: to.users.profile(user_of(s.ben))),
    Verb("UserReader.settings", lambda to, s: to.users.settings(user_of(s.ann))),
    Verb("UserReader.find_online", lambda to, s: to.users.find_online(None, LIMIT), shows_size=True),
    Verb("CredentialReader.find_by_login", lambda to, s: to.credentials.find_by_login("ANN")),
    Verb("CredentialReader.find_account", lambda to, s: to.credentials.find_account(user_of(s.ann))),
    Verb("CredentialReader.find_token", lambda to, s: to.credentials.find_token(Purpose.INVITATION, "0" * 64)),
    Verb("BlockReader.is_blocked", lambda to, s: to.blocks.is_blocked(user_of(s.ann), user_of(s.ben))),
    Verb(
        "BlockReader.between",
        lambda to, s: to.blocks.between(user_of(s.ann), [user_of(other) for other in s.others]),
        shows_size=True,
    ),
    Verb("BlockReader.mine", lambda to, s: to.blocks.mine(None, LIMIT), shows_size=True),
    Verb("RoomReader.find_by_id", lambda to, s: to.rooms.find_by_id(s.hall)),
    Verb("RoomReader.find_by_external_id", lambda to, s: to.rooms.find_by_external_id("hall-0")),
    Verb("RoomReader.seat", lambda to, s: to.rooms.seat(s.hall)),
    Verb("RoomReader.members", lambda to, s: to.rooms.members(s.hall, None, LIMIT), shows_size=True),
    Verb("RoomReader.browse", lambda to, s: to.rooms.browse("hall", None, LIMIT), shows_size=True),
    Verb("RoomReader.browse_mine", lambda to, s: to.rooms.browse_mine("hall", None, LIMIT), shows_size=True),
    Verb("RoomReader.bans", lambda to, s: to.rooms.bans(s.hall, None, LIMIT), shows_size=True),
    Verb(
        "RoomReader.children",
        lambda to, s: to.rooms.children(s.attic, None, LIMIT),
        by="outsider",
        shows_size=True,
    ),
    Verb("InvitationReader.find", lambda to, s: to.invitations.find(s.invitation.id)),
    Verb("InvitationReader.find_by_token", lambda to, s: to.invitations.find_by_token(s.token_hash)),
    Verb(
        "InvitationReader.find_by_room",
        lambda to, s: to.invitations.find_by_room(s.attic, START, None, LIMIT),
        shows_size=True,
    ),
    Verb(
        "InvitationReader.find_mine",
        lambda to, s: to.invitations.find_mine(START, None, LIMIT),
        by="outsider",
        shows_size=True,
    ),
    Verb("MessageReader.find", lambda to, s: to.messages.find(s.hall, s.hall_messages[0].id)),
    Verb("MessageReader.find_by_room", lambda to, s: to.messages.find_by_room(s.hall, limit=LIMIT), shows_size=True),
    Verb(
        "MessageReader.find_by_room",
        lambda to, s: to.messages.find_by_room(s.hall, limit=LIMIT, types=(MessageType.TEXT, MessageType.SYSTEM)),
        like="of two types",
        shows_size=True,
    ),
    Verb(
        "MessageReader.find_around",
        lambda to, s: to.messages.find_around(s.hall, s.hall_messages[s.size // 2].id, limit=LIMIT),
        shows_size=True,
    ),
    Verb(
        "MessageReader.find_thread",
        lambda to, s: to.messages.find_thread(s.attic, s.attic_messages[0].id, limit=LIMIT),
        by="ben",
        shows_size=True,
    ),
    Verb("FileReader.find", lambda to, s: to.files.find(s.files[0]), by="cleo"),
    Verb(
        "FileReader.find_by_messages",
        lambda to, s: to.files.find_by_messages(s.cellar, tuple(s.file_messages)),
        by="cleo",
        shows_size=True,
    ),
    Verb(
        "FileReader.find_by_room",
        lambda to, s: to.files.find_by_room(s.cellar, None, LIMIT),
        by="cleo",
        shows_size=True,
    ),
    Verb(
        "FileReader.find_by_owner",
        lambda to, s: to.files.find_by_owner(user_of(s.cleo), None, s.size),
        by="cleo",
        shows_size=True,
    ),
    Verb(
        "FileReader.unreferenced",
        lambda to, s: to.files.unreferenced(tuple(s.blob() for _ in range(s.size))),
        shows_size=True,
    ),
    Verb("MessageReader.versions", lambda to, s: to.messages.versions(s.attic, s.edited, limit=LIMIT), by="ben"),
    Verb(
        "ThreadReader.summaries",
        lambda to, s: to.threads.summaries(s.attic, [m.id for m in s.attic_messages]),
        by="ben",
    ),
    Verb(
        "ThreadReader.recount_summaries",
        lambda to, s: to.threads.recount_summaries(s.attic, [m.id for m in s.attic_messages]),
        by="ben",
    ),
    Verb("ThreadReader.find_by_room", lambda to, s: to.threads.find_by_room(s.attic, limit=LIMIT), by="ben"),
    Verb("ThreadReader.unread", lambda to, s: to.threads.unread(), by="ben"),
    Verb("ThreadReader.recount", lambda to, s: to.threads.recount(), by="ben"),
    Verb("DraftReader.find", lambda to, s: to.drafts.find(s.hall)),
    Verb("DraftReader.mine", lambda to, s: to.drafts.mine(limit=LIMIT), shows_size=True),
    Verb("ScheduleReader.find", lambda to, s: to.schedule.find(s.scheduled[0].id)),
    Verb("ScheduleReader.mine", lambda to, s: to.schedule.mine(limit=LIMIT), shows_size=True),
    Verb("ReadingReader.get_user_rooms", lambda to, s: to.reading.get_user_rooms(), shows_size=True),
    Verb("ReadingReader.unread", lambda to, s: to.reading.unread(), shows_size=True),
    Verb("ReadingReader.recount", lambda to, s: to.reading.recount(), shows_size=True),
    Verb(
        "ReactionReader.find_by_messages",
        lambda to, s: to.reactions.find_by_messages(s.hall, [m.id for m in s.hall_messages]),
        shows_size=True,
    ),
    Verb(
        "ReactionReader.find_by_emoji",
        lambda to, s: to.reactions.find_by_emoji(s.hall, s.hall_messages[0].id, EMOJI, limit=LIMIT),
        shows_size=True,
    ),
    Verb("MentionReader.mine", lambda to, s: to.mentions.mine(limit=LIMIT), by="ben", shows_size=True),
    Verb(
        "MentionReader.find_by_messages",
        lambda to, s: to.mentions.find_by_messages(s.attic, [m.id for m in s.called_messages]),
        by="ben",
        shows_size=True,
    ),
    Verb("PinReader.find_by_room", lambda to, s: to.pins.find_by_room(s.hall, limit=LIMIT), shows_size=True),
    Verb("AccessReader.domains", lambda to, s: to.access.domains()),
    Verb("AccessReader.roles", lambda to, s: to.access.roles()),
    Verb("AccessReader.find_role", lambda to, s: to.access.find_role(s.roles[0].id)),
    Verb("AccessReader.roles_of", lambda to, s: to.access.roles_of(user_of(s.ann)), shows_size=True),
    Verb("AccessReader.grants_of", lambda to, s: to.access.grants_of(user_of(s.ann)), shows_size=True),
    Verb("AccessReader.facts", lambda to, s: to.access.facts(user_of(s.ann), s.hall)),
    Verb("AccessLogReader.of_room", lambda to, s: to.supervision.of_room(s.hall, limit=LIMIT), shows_size=True),
    Verb("RobotReader.find", lambda to, s: to.robots.find(*s.support.asked)),
    Verb("RobotReader.find_by_message", lambda to, s: to.robots.find_by_message(*s.support.asked[:2])),
    Verb(
        "RobotReader.find_by_status",
        lambda to, s: to.robots.find_by_status(InteractionStatus.PENDING, None, LIMIT),
        shows_size=True,
    ),
    Verb(
        "RobotReader.find_by_robot",
        lambda to, s: to.robots.find_by_robot(s.support.robot_id, None, LIMIT),
        shows_size=True,
    ),
    Verb("RobotReader.history", lambda to, s: to.robots.history(*s.support.asked)),
    Verb("EscalationReader.find", lambda to, s: to.escalations.find(s.support.waiting.id)),
    Verb("EscalationReader.find_by_room", lambda to, s: to.escalations.find_by_room(s.support.waiting.source_room_id)),
    Verb("EscalationReader.queue", lambda to, s: to.escalations.queue(LADDER, None, LIMIT), shows_size=True),
    Verb(
        "EscalationReader.find_by_assignee",
        lambda to, s: to.escalations.find_by_assignee(user_of(s.ann), None, LIMIT),
        shows_size=True,
    ),
    Verb("EscalationReader.overdue", lambda to, s: to.escalations.overdue(START, None, LIMIT), shows_size=True),
    Verb("EscalationReader.staff", lambda to, s: to.escalations.staff(tuple(user_of(o) for o in s.others))),
    Verb("EscalationReader.history", lambda to, s: to.escalations.history(s.support.in_hand.id)),
    Verb(
        "ConclusionReader.find_by_room",
        lambda to, s: to.conclusions.find_by_room(s.support.concluded_id),
        shows_size=True,
    ),
    Verb("ConclusionReader.history", lambda to, s: to.conclusions.history(s.support.conclusion_id)),
    Verb("ReadingReader.readers", lambda to, s: to.reading.readers(s.hall, s.hall_messages[0].id), shows_size=True),
]

HOT_WRITES = [
    Verb(
        "UserWriter.update_online_status", lambda to, s: to.users.update_online_status(OnlineStatus.OFFLINE), by="ben"
    ),
    Verb("UserWriter.set_custom_status", lambda to, s: to.users.set_custom_status(CustomStatus(text="out"))),
    Verb("UserWriter.update_settings", lambda to, s: to.users.update_settings(SettingsChange(theme=unique("theme")))),
    Verb(
        "CredentialWriter.issue_by_email",
        lambda to, s: to.credentials.issue_by_email("ann@example.org", s.token(Purpose.RESET_PASSWORD)),
    ),
    Verb("CredentialWriter.rehash", lambda to, s: to.credentials.rehash(user_of(s.ann), "old", "new")),
    Verb(
        "CredentialWriter.sweep_tokens",
        lambda to, s: to.credentials.sweep_tokens(LIMIT),
        shows_size=True,
        before=tokens_expired,
    ),
    Verb("BlockWriter.block", lambda to, s: to.blocks.block(user_of(s.ann)), by="ben"),
    Verb("BlockWriter.unblock", lambda to, s: to.blocks.unblock(user_of(s.ann)), by="ben"),
    Verb("MessageWriter.send", lambda to, s: to.messages.send(s.attic, builders.draft()), like="new", by="ben"),
    Verb(
        "MessageWriter.send",
        lambda to, s: to.messages.send(s.attic, builders.draft(client_key=KEY)),
        like="repeated",
        by="ben",
        budget=2,
    ),
    Verb(
        "MessageWriter.send",
        lambda to, s: to.messages.send(s.cellar, builders.draft(file_ids=s.free[:FILES_PER_MESSAGE])),
        like="with files",
        by="cleo",
        before=Scene.free_files,
    ),
    Verb(
        "FileWriter.begin",
        lambda to, s: to.files.begin(s.cellar, builders.new_file(), builders.LIFETIME),
        by="cleo",
    ),
    Verb(
        "FileWriter.finish",
        lambda to, s: to.files.finish(s.files[0], s.blob(), builders.CHECKSUM),
        by="cleo",
    ),
    Verb("FileWriter.rename", lambda to, s: to.files.rename(s.files[0], "other.png"), by="cleo"),
    Verb("FileWriter.delete", lambda to, s: to.files.delete(s.free[0]), by="cleo", before=Scene.free_files),
    Verb(
        "FileWriter.expire",
        lambda to, s: to.files.expire(LIMIT),
        by="application",
        shows_size=True,
        before=Scene.free_files,
    ),
    Verb(
        "MessageWriter.send",
        lambda to, s: to.messages.send(s.attic, builders.draft(mentions=s.everybody())),
        like="to everybody",
        by="ben",
    ),
    Verb(
        "MessageWriter.edit",
        lambda to, s: to.messages.edit(s.attic, s.attic_messages[0].id, "better", mentions=s.everybody()),
        like="to everybody",
        by="ben",
    ),
    Verb("MessageWriter.edit", lambda to, s: to.messages.edit(s.attic, s.attic_messages[0].id, "better"), by="ben"),
    Verb("MessageWriter.delete", lambda to, s: to.messages.delete(s.attic, s.doomed.pop()), by="ben"),
    Verb(
        "MessageWriter.send",
        lambda to, s: to.messages.send(s.attic, builders.draft(reply_to_message_id=s.answer)),
        like="a reply",
        by="ben",
    ),
    Verb("ThreadWriter.follow", lambda to, s: to.threads.follow(s.attic, s.attic_messages[0].id), by="ben"),
    Verb("ThreadWriter.mute", lambda to, s: to.threads.mute(s.attic, s.attic_messages[0].id, muted=True), by="ben"),
    Verb(
        "ThreadWriter.mark_read",
        lambda to, s: to.threads.mark_read(s.attic, s.attic_messages[0].id, s.answer),
        by="ben",
    ),
    Verb("ThreadWriter.unfollow", lambda to, s: to.threads.unfollow(s.attic, s.edited), by="ben"),
    Verb("DraftWriter.save", lambda to, s: to.drafts.save(s.attic, DraftText(content="so")), by="ben"),
    Verb("DraftWriter.delete", lambda to, s: to.drafts.delete(s.attic), by="ben"),
    Verb("ScheduleWriter.schedule", lambda to, s: to.schedule.schedule(s.attic, builders.draft(), s.due), by="ben"),
    Verb("ScheduleWriter.reschedule", lambda to, s: to.schedule.reschedule(s.scheduled[0].id, s.scheduled[0].due_at)),
    Verb("ScheduleWriter.cancel", lambda to, s: to.schedule.cancel(s.cancelled.pop()), by="ben"),
    Verb("ScheduleWriter.claim_due", lambda to, s: to.schedule.claim_due(LIMIT), by="nobody"),
    Verb("ScheduleWriter.settle", lambda to, s: to.schedule.settle(s.scheduled[0], Settlement(error="x")), by="nobody"),
    Verb("AnswerWriter.append", lambda to, s: to.answers.append(s.attic, s.streamed[0], CHUNK), by="nobody"),
    Verb("AnswerWriter.finish", lambda to, s: to.answers.finish(s.attic, s.streamed.pop()), by="nobody"),
    Verb("AnswerWriter.fail", lambda to, s: to.answers.fail(s.attic, s.streamed.pop(), FAILURE), by="nobody"),
    Verb("AnswerWriter.fail_stale", lambda to, s: to.answers.fail_stale(START, LIMIT), by="nobody"),
    Verb(
        "ReactionWriter.react",
        lambda to, s: to.reactions.react(s.attic, s.attic_messages[0].id, EMOJI),
        by="ben",
    ),
    Verb(
        "ReactionWriter.unreact",
        lambda to, s: to.reactions.unreact(s.attic, s.attic_messages[0].id, EMOJI),
        by="ben",
    ),
    Verb("PinWriter.pin", lambda to, s: to.pins.pin(s.attic, s.attic_messages[0].id), by="ben"),
    Verb("PinWriter.unpin", lambda to, s: to.pins.unpin(s.attic, s.attic_messages[0].id), by="ben"),
    Verb(
        "ReadingWriter.mark_read",
        lambda to, s: to.reading.mark_read(s.attic, s.attic_messages[-1].id),
        by="ben",
        before=nothing_read,
    ),
    Verb(
        "ReadingWriter.mark_unread",
        lambda to, s: to.reading.mark_unread(s.attic, s.attic_messages[0].id),
        by="ben",
    ),
    Verb(
        "ReadingWriter.mark_delivered",
        lambda to, s: to.reading.mark_delivered(s.attic, s.attic_messages[-1].id),
        by="ben",
    ),
    Verb(
        "ReadingWriter.mark_all_read",
        lambda to, s: to.reading.mark_all_read(),
        by="ben",
        shows_size=True,
        before=nothing_read,
    ),
]

SUPERVISED = [
    Verb(
        "SupervisedReads.history",
        lambda to, s: to.supervision.history(s.attic, "a complaint", limit=LIMIT),
        by="sue",
    ),
    Verb(
        "SupervisedReads.members",
        lambda to, s: to.supervision.members(s.attic, "a complaint", None, LIMIT),
        by="sue",
    ),
]

UNIT_WRITES = [
    Verb("Tenants.create", lambda to, s: to.tenants.create(builders.tenant())),
    Verb("Users.create", lambda to, s: to.users.create(builders.account(tenant_id=s.world.tenant.id))),
    Verb("Users.hold", lambda to, s: to.users.hold(user_of(s.ann))),
    Verb(
        "Users.save",
        lambda to, s: to.users.save(builders.account(tenant_id=s.world.tenant.id, id=user_of(s.ann))),
    ),
    Verb("Credentials.issue", lambda to, s: to.credentials.issue(user_of(s.ann), s.token(Purpose.INVITATION))),
    Verb(
        "Credentials.use",
        lambda to, s: to.credentials.use(Purpose.VERIFY_EMAIL, s.tokens[Purpose.VERIFY_EMAIL].token_hash),
        before=token_issued,
    ),
    Verb("Credentials.void", lambda to, s: to.credentials.void(user_of(s.ann), tuple(Purpose))),
    Verb("Rooms.create", lambda to, s: to.rooms.create(*s.group())),
    Verb("Rooms.open_direct", lambda to, s: to.rooms.open_direct(*s.direct())),
    Verb("Rooms.save", lambda to, s: to.rooms.save(s.room(id=s.hall, name="Lounge"))),
    Verb("Rooms.hold", lambda to, s: to.rooms.hold(s.hall, user_of(s.ann))),
    Verb("Rooms.take_seat", lambda to, s: to.rooms.take_seat(s.seat(s.hall, s.outsider))),
    Verb("Rooms.save_membership", lambda to, s: to.rooms.save_membership(s.seat(s.hall, s.ann, notify_level="none"))),
    Verb("Robots.begin", lambda to, s: to.robots.begin(s.support.question())),
    Verb("Robots.hold", lambda to, s: to.robots.hold(*s.support.asked)),
    Verb("Robots.hold_next", lambda to, s: to.robots.hold_next(s.support.robot_id)),
    Verb("Robots.save", lambda to, s: to.robots.save(s.support.pending.started(START))),
    Verb("Escalations.create", lambda to, s: to.escalations.create(s.support.another())),
    Verb("Escalations.hold", lambda to, s: to.escalations.hold(s.support.waiting.id)),
    Verb("Escalations.hold_next", lambda to, s: to.escalations.hold_next(LADDER)),
    Verb("Escalations.save", lambda to, s: to.escalations.save(s.support.waiting.cancelled(None))),
    Verb("Conclusions.conclude", lambda to, s: to.conclusions.conclude(s.support.end())),
    Verb("Conclusions.reopen", lambda to, s: to.conclusions.reopen(s.support.concluded_id)),
    Verb("Rooms.put_membership", lambda to, s: to.rooms.put_membership(s.seat(s.hall, s.outsider, status="banned"))),
    Verb("Rooms.remove_guests", lambda to, s: to.rooms.remove_guests(s.attic), shows_size=True),
    Verb(
        "Rooms.open_child",
        lambda to, s: to.rooms.open_child(s.room(parent_room_id=s.hall, max_participants=None), None, None),
        shows_size=True,
    ),
    Verb("Invitations.create", lambda to, s: to.invitations.create(s.invited(s.attic, s.ann), None)),
    Verb("Invitations.save", lambda to, s: to.invitations.save(s.invitation.changed(uses=1))),
    Verb(
        "Invitations.close",
        lambda to, s: to.invitations.close(s.attic, user_of(s.outsider), InvitationStatus.REVOKED),
    ),
    Verb("Invitations.expire", lambda to, s: to.invitations.expire(LIMIT), shows_size=True),
    Verb("Access.create_role", lambda to, s: to.access.create_role(s.access_role(*PATTERNS))),
    Verb("Access.save_role", lambda to, s: to.access.save_role(s.roles[0].changed(permissions=PATTERNS))),
    Verb("Access.delete_role", lambda to, s: to.access.delete_role(s.roles[0].id)),
    Verb("Access.grant", lambda to, s: to.access.grant(s.granting(s.ben, s.roles[0]))),
    Verb("Access.revoke", lambda to, s: to.access.revoke(user_of(s.ann), s.roles[0].id)),
    Verb("Access.drop_expired", lambda to, s: to.access.drop_expired(LIMIT)),
    Verb("Imports.take_in", lambda to, s: to.imports.take_in(s.attic, s.imported()), shows_size=True),
    Verb(
        "Imports.take_in",
        lambda to, s: to.imports.take_in(s.attic, s.imported(files=(ELSEWHERE,))),
        like="with files",
        shows_size=True,
    ),
    Verb("Imports.seat", lambda to, s: to.imports.seat(s.cellar, s.imported_seats()), shows_size=True),
    Verb(
        "Files.copy",
        lambda to, s: to.files.copy(tuple(s.files), s.cellar, builders.LIFETIME),
        by="cleo",
        shows_size=True,
    ),
    Verb("Files.drop_by_message", lambda to, s: to.files.drop_by_message(s.cellar, s.file_messages[0]), by="cleo"),
]

NOT_HERE = {
    "Passwords.hash": "no store's",
    "Passwords.verify": "no store's",
    "Passwords.needs_rehash": "no store's",
    "SearchReader.find": "has a test of its own below: a reader's only, outside any unit of work",
    "SearchIndex.index": "has a test of its own below: a transaction by itself",
    "SearchIndex.lag": "as index",
    "SearchIndex.rebuild": "as index",
    "Months.ensure": "has a test of its own below: what is missing is made step by step, so that others can go on",
}


def size_of(result: Any) -> int:
    """How many rows a call was about."""
    match result:
        case Page():
            return len(result.items)
        case Thread():
            return len(result.replies.items)
        case Taken():
            return result.stored
        case Swept():
            return result.files
        case tuple() | frozenset():
            return len(result)
        case int():
            return result
    raise AssertionError(f"{type(result).__name__} tells no size")


Way = Callable[[Verb, Scene], AbstractAsyncContextManager[Any]]


@asynccontextmanager
async def by_reader(verb: Verb, scene: Scene) -> AsyncIterator[Reader]:
    yield scene.world.reader(getattr(scene, verb.by))


@asynccontextmanager
async def by_once(verb: Verb, scene: Scene) -> AsyncIterator[Once]:
    yield scene.world.once(getattr(scene, verb.by))


@asynccontextmanager
async def in_a_unit(verb: Verb, scene: Scene) -> AsyncIterator[UnitOfWork]:
    """A unit of work that is open already, and is left without a commit."""
    async with scene.world.unit(getattr(scene, verb.by)) as uow:
        await uow.rooms.find_by_id(NO_ROOM)
        yield uow


async def prove(stage: Stage, verb: Verb, way: Way) -> None:
    """Called in the small scene and in the large one, the verb keeps to its budget."""
    for scene in stage.scenes:
        await verb.before(scene)
        async with way(verb, scene) as to, stage.ledger.counted() as sent:
            result = await verb.call(to, scene)
        assert len(sent) == verb.budget, sent
        assert not verb.shows_size or size_of(result) == scene.size


@pytest.mark.parametrize("verb", READS, ids=str)
async def test_a_read_is_one_statement(stage: Stage, verb: Verb) -> None:
    await prove(stage, verb, by_reader)
    await prove(stage, verb, in_a_unit)


@pytest.mark.parametrize("verb", [*HOT_WRITES, *SUPERVISED], ids=str)
async def test_a_hot_write_is_its_own_transaction_in_one_statement(stage: Stage, verb: Verb) -> None:
    await prove(stage, verb, by_once)


@pytest.mark.parametrize("verb", [*HOT_WRITES, *SUPERVISED, *UNIT_WRITES], ids=str)
async def test_a_write_inside_a_unit_is_one_statement(stage: Stage, verb: Verb) -> None:
    await prove(stage, verb, in_a_unit)


def kinds(sent: list[str]) -> list[str]:
    """Which statements they are: the function each calls, or what it does to the transaction."""
    found = [re.search(r"^BEGIN|^COMMIT|^ROLLBACK|chat_\w+(?=\()", statement) for statement in sent]
    return [kind.group() if kind else statement for kind, statement in zip(found, sent, strict=True)]


@pytest.mark.parametrize("number", [0, FEW, MANY])
async def test_a_unit_of_work_is_its_verbs_its_changes_and_two_more(stage: Stage, number: int) -> None:
    """Opening is one, committing is one, and all recorded changes together are one."""
    for scene in stage.scenes:
        async with stage.ledger.counted() as sent, scene.world.unit() as uow:
            await uow.rooms.hold(scene.hall, user_of(scene.ann))
            await uow.rooms.save_membership(scene.seat(scene.hall, scene.ann))
            for room_id in islice(cycle((scene.hall, scene.attic)), number):
                uow.record(Change(room_id=room_id, kind=EventKind.ROOM_UPDATED))
            await uow.commit()
        changes = ["chat_record"] if number else []
        assert kinds(sent) == ["BEGIN", "chat_hold_room", "chat_save_membership", *changes, "COMMIT"]


async def test_a_unit_of_work_that_only_records_is_three(stage: Stage) -> None:
    for scene in stage.scenes:
        async with stage.ledger.counted() as sent, scene.world.unit() as uow:
            uow.record(Change(room_id=scene.hall, kind=EventKind.ROOM_UPDATED))
            await uow.commit()
        assert kinds(sent) == ["BEGIN", "chat_record", "COMMIT"]


async def test_a_unit_of_work_that_is_left_is_its_verbs_and_two_more(stage: Stage) -> None:
    for scene in stage.scenes:
        async with stage.ledger.counted() as sent, scene.world.unit() as uow:
            await uow.rooms.find_by_id(scene.hall)
        assert kinds(sent) == ["BEGIN", "chat_find_room", "ROLLBACK"]


async def test_a_unit_of_work_that_says_nothing_sends_nothing(stage: Stage) -> None:
    world = stage.scenes[0].world
    async with stage.ledger.counted() as sent:
        async with world.unit() as uow:
            await uow.commit()
        async with world.unit():
            pass
    assert sent == []


async def test_months_that_are_there_are_one_statement(stage: Stage) -> None:
    months = stage.scenes[0].world.harness.store.months
    for last in (START, START + timedelta(days=31)):
        async with stage.ledger.counted() as sent:
            assert await months.ensure(START.date(), last.date()) == 0
        assert kinds(sent) == ["chat_missing_months"]


async def test_searching_is_one_statement_and_indexing_two_in_a_transaction(stage: Stage) -> None:
    for scene in stage.scenes:
        world = scene.world
        index = world.harness.store.search_index
        async with stage.ledger.counted() as sent:
            assert (await index.index(10_000, tenant_id=world.tenant.id)).messages > scene.size
        assert kinds(sent) == ["BEGIN", "chat_search_pending", "chat_search_store", "COMMIT"]
        async with stage.ledger.counted() as sent:
            assert await index.index(10_000, tenant_id=world.tenant.id) == Indexed(0, 0)
        assert kinds(sent) == ["BEGIN", "chat_search_pending", "COMMIT"]
        for order in Order:
            async with stage.ledger.counted() as sent:
                search = Search(text="hello", rooms=(scene.hall,), types=(MessageType.SYSTEM,), order=order)
                found = await world.reader(scene.ann).search.find(search, limit=LIMIT)
            assert kinds(sent) == ["chat_search"]
            assert len(found.items) == scene.size
        async with stage.ledger.counted() as sent:
            await index.lag(world.tenant.id)
            await index.rebuild(world.tenant.id)
        assert kinds(sent) == ["chat_search_lag", "chat_search_rebuild"]


async def test_a_send_knows_nothing_of_the_index(stage: Stage) -> None:
    """Neither what it calls nor what it is made of: no statement, no trigger, no row of the index."""
    scene = stage.scenes[0]
    async with scene.world.unit(scene.ben) as uow:
        await uow.rooms.find_by_id(scene.attic)
        before = await _touched(uow)
        await uow.messages.send(scene.attic, builders.draft())
        after = await _touched(uow)
    names = {name for name, times in after.items() if times > before.get(name, 0)}
    assert {"room_events", "message_keys", "rooms"} <= names
    assert not {name for name in names if "search" in name}


async def _touched(uow: UnitOfWork) -> dict[str, int]:
    """How often the connection has read or written each table of late, this transaction included."""
    rows = await uow._statements.rows(  # type: ignore[attr-defined]  # a look from inside the transaction
        "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del + seq_scan + coalesce(idx_scan, 0) AS times"
        " FROM pg_stat_xact_user_tables"
    )
    return {row["relname"]: row["times"] for row in rows}


def test_every_verb_has_a_row() -> None:
    areas = [importlib.import_module(f"app.domain.{area}") for area in AREAS]
    modules = [
        importlib.import_module(name)
        for area in areas
        for name in (
            area.__name__,
            *(f"{area.__name__}.{part.name}" for part in pkgutil.iter_modules(getattr(area, "__path__", ()))),
        )
    ]
    ports = [
        thing
        for module in modules
        for thing in vars(module).values()
        if inspect.isclass(thing) and thing.__module__ == module.__name__ and getattr(thing, "_is_protocol", False)
    ]
    verbs = {f"{port.__name__}.{verb}" for port in ports for verb in vars(port) if not verb.startswith("_")}
    assert verbs == {verb.port for verb in (*READS, *HOT_WRITES, *SUPERVISED, *UNIT_WRITES)} | set(NOT_HERE)
