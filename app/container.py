"""Where the parts are joined: the only module that knows services and adapters.

    async with open_app() as chat:                                        # settings from the environment
        room = await chat.rooms.create(ann, NewRoom(name="Lounge"))
        await chat.messages.send(ann, room.id, Draft(content="Hello"))

    async with open_app(Settings(adapters="memory")) as chat:             # a whole application without a server

    container = Container()                                               # one part exchanged, everything else as it is
    container.clock.override(frozen_clock)
    async with open_app(Settings(adapters="memory"), container=container) as chat: ...

The container is synchronous and only wires: nothing connects before it is first used. Whoever makes a thing closes
it: the factories below put their closing on the application's `AsyncExitStack`; what a test hands in, the test closes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dependency_injector import containers, providers

from app.domain.events import Announcer, Bus
from app.domain.files import FileLimits
from app.domain.files.blobs import BlobStore
from app.domain.ids import Ids
from app.domain.imports import Months
from app.domain.support.escalations import SLA
from app.domain.unit_of_work import Clock, Store
from app.infrastructure.local.blobs import FolderBlobs
from app.infrastructure.local.bus import InProcessBus
from app.infrastructure.local.clock import SystemClock
from app.infrastructure.local.ids import TimeOrderedIds
from app.infrastructure.local.passwords import ThreadedPasswords
from app.infrastructure.memory.blobs import MemoryBlobs
from app.infrastructure.memory.store import MemoryStore
from app.services.access import AccessService
from app.services.activity import ActivityService
from app.services.answers import AnswerService
from app.services.blocks import BlockService
from app.services.credentials import CredentialService
from app.services.drafts import DraftService
from app.services.files import FileService
from app.services.identity import IdentityService
from app.services.imports.importer import ImportService
from app.services.invitations import InvitationService
from app.services.members import MemberService
from app.services.mentions import MentionService
from app.services.messaging import MessagingService
from app.services.moderation import ModerationService
from app.services.pins import PinService
from app.services.reactions import ReactionService
from app.services.reading import ReadingService
from app.services.rooms import RoomService
from app.services.schedule import ScheduleService
from app.services.search import SearchService
from app.services.supervision import SupervisionService
from app.services.support import SupportService
from app.services.threads import ThreadService
from app.settings import Settings
from app.settings.urls import blob_folder

Exits = AsyncExitStack[bool | None]


def _exits() -> Exits:
    return AsyncExitStack()


def _passwords(settings: Settings, exits: Exits) -> ThreadedPasswords:
    passwords = ThreadedPasswords(
        rounds=settings.bcrypt_rounds, at_once=settings.password_threads, algorithm=settings.password_algorithm
    )
    exits.callback(passwords.close)
    return passwords


def _bus(exits: Exits) -> InProcessBus:
    bus = InProcessBus()
    exits.callback(bus.close)
    return bus


def _memory(settings: Settings, exits: Exits, clock: Clock, ids: Ids, announcer: Announcer) -> Store:
    store = MemoryStore(clock=clock, ids=ids, announcer=announcer, lock_timeout_seconds=settings.lock_timeout_seconds)
    exits.push_async_callback(store.aclose)
    return store


def _postgres(settings: Settings, exits: Exits, clock: Clock, ids: Ids, announcer: Announcer) -> Store:
    # Imported when chosen: an application on memory needs no driver.
    from app.infrastructure.postgres.engine import PoolOptions, create_engine  # noqa: PLC0415
    from app.infrastructure.postgres.store import PostgresStore  # noqa: PLC0415

    options = PoolOptions(
        size=settings.pool_size,
        idle_seconds=settings.pool_idle_seconds,
        wait_seconds=settings.pool_wait_seconds,
        connect_seconds=settings.connect_timeout_seconds,
        command_seconds=settings.command_timeout_seconds,
        lock_seconds=settings.lock_timeout_seconds,
        schema=settings.database_schema,
        pgbouncer=settings.pgbouncer,
    )
    engine = create_engine(settings.database_dsn, options)
    store = PostgresStore(engine, clock, ids, announcer, lock_timeout_seconds=settings.lock_timeout_seconds)
    exits.push_async_callback(store.aclose)
    return store


def _blobs(settings: Settings, exits: Exits, clock: Clock) -> BlobStore:
    blobs: BlobStore
    if settings.blob_store == "memory:":
        blobs = MemoryBlobs(clock)
    elif (folder := blob_folder(settings.blob_store)) is not None:
        blobs = FolderBlobs(folder)
    else:
        from app.infrastructure.local.objects import ObjectBlobs  # noqa: PLC0415 - imported when chosen: an extra

        blobs = ObjectBlobs.at(settings.blob_store)
    exits.push_async_callback(blobs.aclose)
    return blobs


def _files(settings: Settings, store: Store, blobs: BlobStore, ids: Ids, clock: Clock) -> FileService:
    limits = FileLimits(max_bytes=settings.file_max_bytes, types=tuple(settings.file_types.split(",")))
    return FileService(store, blobs, ids, clock, limits, timedelta(hours=settings.unattached_file_hours))


def _messages(settings: Settings, store: Store, blobs: BlobStore) -> MessagingService:
    drop_from = blobs if settings.files_of_deleted_messages == "drop" else None
    return MessagingService(store, settings.message_max_length, drop_from)


class Container(containers.DeclarativeContainer):
    """Every part by name. `container.<part>.override(<value>)` exchanges it for the applications opened after."""

    config = providers.Singleton(Settings.load)
    exits = providers.Singleton(_exits)

    clock = providers.Singleton(SystemClock)
    ids = providers.Singleton(TimeOrderedIds)
    passwords = providers.Singleton(_passwords, config, exits)
    bus = providers.Singleton(_bus, exits)

    store = providers.Selector(
        config.provided.adapters,
        memory=providers.Singleton(_memory, config, exits, clock=clock, ids=ids, announcer=bus),
        postgres=providers.Singleton(_postgres, config, exits, clock=clock, ids=ids, announcer=bus),
    )

    # A new service gets a provider here and a field of `Chat`.
    identity = providers.Singleton(IdentityService, store=store, ids=ids, passwords=passwords)
    credentials = providers.Singleton(CredentialService, store=store, ids=ids, clock=clock, passwords=passwords)
    blocks = providers.Singleton(BlockService, store=store)
    rooms = providers.Singleton(RoomService, store=store, ids=ids)
    members = providers.Singleton(MemberService, store=store)
    moderation = providers.Singleton(ModerationService, store=store)
    invitations = providers.Singleton(InvitationService, store=store, ids=ids, clock=clock)
    blobs = providers.Singleton(_blobs, config, exits, clock)
    messages = providers.Singleton(_messages, config, store=store, blobs=blobs)
    files = providers.Singleton(_files, config, store=store, blobs=blobs, ids=ids, clock=clock)
    reading = providers.Singleton(ReadingService, store=store)
    search = providers.Singleton(SearchService, store=store, clock=clock)
    threads = providers.Singleton(ThreadService, store=store)
    drafts = providers.Singleton(DraftService, store=store, message_max_length=config.provided.message_max_length)
    schedule = providers.Singleton(ScheduleService, store=store, message_max_length=config.provided.message_max_length)
    answers = providers.Singleton(AnswerService, store=store, message_max_length=config.provided.message_max_length)
    reactions = providers.Singleton(ReactionService, store=store)
    mentions = providers.Singleton(MentionService, store=store)
    pins = providers.Singleton(PinService, store=store)
    access = providers.Singleton(AccessService, store=store, ids=ids)
    supervision = providers.Singleton(SupervisionService, store=store)
    sla = providers.Object(SLA)
    support = providers.Singleton(SupportService, store=store, ids=ids, clock=clock, sla=sla)
    activity = providers.Singleton(ActivityService, store=store)
    imports = providers.Singleton(ImportService, store=store, ids=ids, clock=clock)


@dataclass(frozen=True, slots=True)
class Chat:
    """An open application: its services, the events of this process, and the store below them."""

    identity: IdentityService
    credentials: CredentialService
    blocks: BlockService
    rooms: RoomService
    members: MemberService
    moderation: ModerationService
    invitations: InvitationService
    messages: MessagingService
    reading: ReadingService
    search: SearchService
    threads: ThreadService
    drafts: DraftService
    schedule: ScheduleService
    answers: AnswerService
    reactions: ReactionService
    mentions: MentionService
    pins: PinService
    access: AccessService
    supervision: SupervisionService
    support: SupportService
    imports: ImportService
    activity: ActivityService
    files: FileService
    events: Bus
    """`async with chat.events.subscribe(room_id) as events: async for event in events: ...`"""
    store: Store

    @property
    def months(self) -> Months:
        """Storage for messages by month: `ensure` makes it ahead of time."""
        return self.store.months


@asynccontextmanager
async def open_app(settings: Settings | None = None, *, container: Container | None = None) -> AsyncIterator[Chat]:
    """Opens an application and closes all it made when the block ends.

    `settings` None reads the environment (or what the container was told). Each call makes an application of its own,
    also of one container opened twice. Raises `SettingsError`.
    """
    parts = Container() if container is None else container
    parts.reset_singletons()
    async with parts.exits():
        # Only while the parts are made: the container may be opened again, with other settings.
        with nullcontext() if settings is None else parts.config.override(settings):
            chat = Chat(
                identity=parts.identity(),
                credentials=parts.credentials(),
                blocks=parts.blocks(),
                rooms=parts.rooms(),
                members=parts.members(),
                moderation=parts.moderation(),
                invitations=parts.invitations(),
                messages=parts.messages(),
                reading=parts.reading(),
                search=parts.search(),
                threads=parts.threads(),
                drafts=parts.drafts(),
                schedule=parts.schedule(),
                answers=parts.answers(),
                reactions=parts.reactions(),
                mentions=parts.mentions(),
                pins=parts.pins(),
                access=parts.access(),
                supervision=parts.supervision(),
                support=parts.support(),
                imports=parts.imports(),
                activity=parts.activity(),
                files=parts.files(),
                events=parts.bus(),
                store=parts.store(),
            )
            indexes = parts.config().adapters == "postgres" and parts.config().search_indexing
        async with _running(chat.search.keep_indexed()) if indexes else nullcontext():
            yield chat


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Something that runs beside the block and is stopped at its end."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
