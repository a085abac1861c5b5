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

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass

from dependency_injector import containers, providers

from app.domain.events import Announcer, Bus
from app.domain.ids import Ids
from app.domain.imports import Months
from app.domain.unit_of_work import Clock, Store
from app.infrastructure.local.bus import InProcessBus
from app.infrastructure.local.clock import SystemClock
from app.infrastructure.local.ids import TimeOrderedIds
from app.infrastructure.local.passwords import BcryptPasswords
from app.infrastructure.memory.store import MemoryStore
from app.services.identity import IdentityService
from app.services.imports.importer import ImportService
from app.services.invitations import InvitationService
from app.services.members import MemberService
from app.services.messaging import MessagingService
from app.services.moderation import ModerationService
from app.services.reading import ReadingService
from app.services.rooms import RoomService
from app.settings import Settings

Exits = AsyncExitStack[bool | None]


def _exits() -> Exits:
    return AsyncExitStack()


def _passwords(settings: Settings, exits: Exits) -> BcryptPasswords:
    passwords = BcryptPasswords(rounds=settings.bcrypt_rounds)
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
    rooms = providers.Singleton(RoomService, store=store, ids=ids)
    members = providers.Singleton(MemberService, store=store)
    moderation = providers.Singleton(ModerationService, store=store)
    invitations = providers.Singleton(InvitationService, store=store, ids=ids, clock=clock)
    messages = providers.Singleton(MessagingService, store=store, message_max_length=config.provided.message_max_length)
    reading = providers.Singleton(ReadingService, store=store)
    imports = providers.Singleton(ImportService, store=store, ids=ids, clock=clock)


@dataclass(frozen=True, slots=True)
class Chat:
    """An open application: its services, the events of this process, and the store below them."""

    identity: IdentityService
    rooms: RoomService
    members: MemberService
    moderation: ModerationService
    invitations: InvitationService
    messages: MessagingService
    reading: ReadingService
    imports: ImportService
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
                rooms=parts.rooms(),
                members=parts.members(),
                moderation=parts.moderation(),
                invitations=parts.invitations(),
                messages=parts.messages(),
                reading=parts.reading(),
                imports=parts.imports(),
                events=parts.bus(),
                store=parts.store(),
            )
        yield chat
