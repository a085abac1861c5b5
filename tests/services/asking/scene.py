"""What it takes to prove that a method of a service asks: a scene with a secret room, and a row for each method.

    ROWS = {"rooms.close": Asks(lambda s, a: s.chat.rooms.close(a, s.room.id), by="owner", refused=ADMINISTERING)}

The actor named by `by` may do it. Four strangers may not, or the row says why they may:

    outsider   an ordinary account of the tenant, without a seat or a grant
    observer   the same with a seat in the room that gives no permission at all
    barred     the very actor who may, once their account is barred
    foreigner  the id of the actor who may, in another tenant
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from app.container import Chat
from app.domain.access import NotAllowed
from app.domain.access.roles import AccessRole, NewRole, Scope
from app.domain.actors import Actor
from app.domain.errors import ChatError
from app.domain.identity import AccountInactive, AccountType, UserNotFound
from app.domain.ids import TenantId
from app.domain.messaging import Message, Silenced
from app.domain.rooms import Room, RoomNotFound
from app.domain.rooms.members import NotAMember
from app.infrastructure.memory.store import MemoryStore
from app.testing import builders
from tests.services.world import World, id_of

STRANGERS = ("outsider", "observer", "barred", "foreigner")
SECRET = "a secret of the room"


@dataclass(frozen=True)
class Asks:
    """How a method is called, by whom, and what becomes of each stranger: a refusal, or the reason why there is none.

    `refused` may name more people of the scene than the four strangers.
    """

    call: Callable[[Scene, Actor], Awaitable[Any]]
    by: str = "owner"
    refused: Mapping[str, type[ChatError]] = field(default_factory=dict)
    open_to: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[Scene], Awaitable[Any]] | None = None
    """What has to be there for the call; its result is `scene.there`."""


SEATED: Mapping[str, type[ChatError]] = {
    "outsider": NotAMember,
    "observer": Silenced,
    "barred": AccountInactive,
    "foreigner": RoomNotFound,
}
"""What a write of messages, which asks everything in one statement, refuses with."""

ACTING: Mapping[str, type[ChatError]] = {"outsider": NotAMember, "barred": AccountInactive, "foreigner": UserNotFound}
"""What a write in a room refuses with where any member may; `AS_MEMBER` goes with it."""

ADMINISTERING: Mapping[str, type[ChatError]] = {**ACTING, "observer": NotAllowed, "member": NotAllowed}
"""What a write in a room refuses with that asks for a permission of moderators, administrators or owners."""

READING: Mapping[str, type[ChatError]] = {"outsider": NotAMember, "foreigner": RoomNotFound}
"""What a read in a room refuses with; `READS_ON` goes with it."""

AS_MEMBER = {"observer": "an observer is a member in this"}
READS_ON = {
    **AS_MEMBER,
    "barred": "what could be read stays readable until the account's sessions end; it writes nothing",
}
OWN = dict.fromkeys(("outsider", "observer"), "everybody has these of their own")
OF_TENANT = dict.fromkeys(("outsider", "observer"), "everybody of the tenant may")


@dataclass
class Scene:
    """A private room of an owner and a member with things said in it, and people who have nothing to do with it."""

    world: World
    owner: Actor
    member: Actor
    admin: Actor
    supervisor: Actor
    agent: Actor
    robot: Actor
    outsider: Actor
    observer: Actor
    system: Actor
    room: Room
    public: Room
    message: Message
    other_message: Message
    role: AccessRole
    """Granted in rooms; the member holds it in theirs."""
    staff_role: AccessRole
    """Granted everywhere; nobody holds it."""
    there: Any = None

    @property
    def chat(self) -> Chat:
        return self.world.chat

    @classmethod
    async def set(cls, world: World) -> Self:
        owner, member, outsider, observer = await world.persons("owner", "member", "outsider", "observer")
        admin = await world.person("admin", AccountType.ADMIN)
        supervisor = await world.person("supervisor", AccountType.SUPERVISOR)
        agent, robot = await world.person("agent", AccountType.AGENT), await world.person("robot", AccountType.ROBOT)
        fields = {"name": SECRET, "is_private": True, "external_id": "secret-1"}
        room = await world.room(owner, member, **fields)
        public = await world.room(owner, name="Market", external_id="market-1")
        await world.chat.members.add(owner, room.id, id_of(observer), "observer")
        message, other = [(await world.say(actor, room, SECRET))[0] for actor in (owner, member)]
        role = await world.chat.access.create_role(
            world.system, NewRole(name="helpers", permissions=("chat:message:pin",))
        )
        await world.chat.access.grant(world.system, id_of(member), role.id, room.id)
        staff = await world.chat.access.create_role(
            world.system, NewRole(name="staff", scope=Scope.GLOBAL, permissions=("chat:escalation:claim",))
        )
        people = (owner, member, admin, supervisor, agent, robot, outsider, observer, world.system)
        return cls(world, *people, room, public, message, other, role, staff)

    async def prepared(self, row: Asks) -> Self:
        if row.before is not None:
            self.there = await row.before(self)
        return self

    def actor(self, name: str) -> Actor:
        actor = getattr(self, name)
        assert isinstance(actor, Actor)
        return actor

    async def stranger(self, kind: str, entitled: str) -> Actor:
        """One of the strangers, or somebody of the scene. Barred and moved elsewhere is who may otherwise do it."""
        actor = self.outsider if entitled == "system" else self.actor(entitled)
        if kind not in ("barred", "foreigner"):
            return self.actor(kind)
        if kind == "barred":
            await self.world.bar(actor)
            return actor
        other = builders.tenant()
        async with self.chat.store.unit_of_work(Actor.system(other.id)) as uow:
            await uow.tenants.create(other)
            await uow.commit()
        return actor.changed(tenant_id=TenantId(other.id))

    def written(self) -> dict[str, dict[Any, Any]]:
        """Everything that is stored."""
        assert isinstance(self.chat.store, MemoryStore)
        return {table.name: dict(rows) for table, rows in self.chat.store._committed._rows.items() if rows}

    def is_told(self, result: object) -> bool:
        """Whether an answer tells of the secret room."""
        told = repr(result)
        return SECRET in told or str(self.room.id) in told or str(self.message.id) in told


def services(chat: Chat) -> dict[str, object]:
    """The services of an application and those within them, by the name callers use."""
    found: dict[str, object] = {}
    names = [(field.name, getattr(chat, field.name)) for field in fields(chat)]
    while names:
        name, thing = names.pop()
        if type(thing).__module__.startswith("app.services."):
            found[name] = thing
            names += [(f"{name}.{part}", value) for part, value in vars(thing).items() if not part.startswith("_")]
    return found
