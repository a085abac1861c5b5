"""Roles, grants, and reading without a seat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from app.domain.access import Permission
from app.domain.access.roles import AccessRole, UserRole
from app.domain.ids import AccessRoleId, RoomId, UserId
from app.domain.unit_of_work import Once, Reader, UnitOfWork
from app.testing import builders
from app.testing.sides import Act, Side
from app.testing.steps import FEW, ROOM, WHERE, WHO, Aim, Look, Steps, unblocked

_HELD = st.lists(
    st.sampled_from([Permission.DELETE_ANY_MESSAGE.value, Permission.SUPERVISE.value, "chat:message:*", "chat:*:*"]),
    max_size=2,
)


def create_role(role: AccessRole) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> None:
        await uow.access.create_role(role)

    return act


def save_role(role_id: AccessRoleId, name: str, permissions: Sequence[str]) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> AccessRole | None:
        role = await uow.access.find_role(role_id)
        return None if role is None else await uow.access.save_role(role.changed(name=name, permissions=permissions))

    return act


def delete_role(role_id: AccessRoleId) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> None:
        await uow.access.delete_role(role_id)

    return act


def grant(user_role: UserRole, seconds: int | None) -> Act:
    """For good, or so many seconds from the unit's now."""

    async def act(side: Side, uow: UnitOfWork) -> UserRole:
        until = None if seconds is None else uow.now + timedelta(seconds=seconds)
        return await uow.access.grant(user_role.changed(expires_at=until))

    return act


def revoke(user_id: UserId, role_id: AccessRoleId, room_id: RoomId | None) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> None:
        await uow.access.revoke(user_id, role_id, room_id)

    return act


def drop_expired(limit: int) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> int:
        return await uow.access.drop_expired(limit)

    return act


def supervise(room_id: RoomId, verb: str, reason: str, limit: int) -> Act:
    async def act(side: Side, verbs: Once) -> Any:
        if verb == "history":
            return await verbs.supervision.history(room_id, reason, limit=limit, include_deleted=True)
        return await verbs.supervision.members(room_id, reason, None, limit)

    return act


async def _log(side: Side, reader: Reader, aim: Aim) -> list[tuple[Any, ...]]:
    """The log without the ids of its lines, which are each store's own."""
    page = await reader.supervision.of_room(aim.room_id, limit=50)
    return [(e.actor_id, e.action, e.entity, e.entity_id, e.room_id, e.reason, e.correlation_id) for e in page.items]


LOOKS: dict[str, Look] = {
    "domains": lambda s, r, a: r.access.domains(),
    "roles": lambda s, r, a: r.access.roles(),
    "roles_of": lambda s, r, a: r.access.roles_of(a.user_id),
    "grants_of": lambda s, r, a: r.access.grants_of(a.user_id, a.room_id if a.side else None),
    "facts": lambda s, r, a: r.access.facts(a.user_id, a.room_id if a.side else None),
    "access_log": _log,
}


class Access(Steps):
    """Roles are made, changed and deleted, granted and taken back, while people act on them."""

    roles: list[AccessRoleId]

    def _role(self, number: int) -> AccessRoleId:
        """One of the roles made so far, or nobody's."""
        roles = getattr(self, "roles", [])
        return roles[number % len(roles)] if roles else AccessRoleId(self.tenant.id)

    @unblocked(where=WHERE, who=WHO, name=FEW, held=_HELD)
    def create_role(self, where: int | None, who: int, name: int, held: list[str]) -> None:
        role = builders.access_role(*held, tenant_id=self.tenant.id, name=f"Role {name}")
        self.roles = [*getattr(self, "roles", []), role.id]
        self.shared.add(role.id)
        self._do(where, who, create_role(role), alone="unit")

    @unblocked(where=WHERE, who=WHO, which=FEW, name=FEW, held=_HELD)
    def save_role(self, where: int | None, who: int, which: int, name: int, held: list[str]) -> None:
        self._do(where, who, save_role(self._role(which), f"role {name}", held), alone="unit")

    @unblocked(where=WHERE, who=WHO, which=FEW)
    def delete_role(self, where: int | None, who: int, which: int) -> None:
        self._do(where, who, delete_role(self._role(which)), alone="unit")

    @unblocked(
        where=WHERE,
        who=WHO,
        which=FEW,
        whom=WHO,
        room=ROOM,
        everywhere=st.booleans(),
        seconds=st.sampled_from([None, 1]),
    )
    def grant(
        self, where: int | None, who: int, which: int, whom: int, room: int, everywhere: bool, seconds: int | None
    ) -> None:
        place = None if everywhere else self._room(room)
        granted = builders.user_role(
            self._user(whom), self._role(which), place, tenant_id=self.tenant.id, granted_by=self.people[0].user_id
        )
        self._do(where, who, grant(granted, seconds), alone="unit")

    @unblocked(where=WHERE, who=WHO, which=FEW, whom=WHO, room=ROOM, everywhere=st.booleans())
    def revoke(self, where: int | None, who: int, which: int, whom: int, room: int, everywhere: bool) -> None:
        place = None if everywhere else self._room(room)
        self._do(where, who, revoke(self._user(whom), self._role(which), place), alone="unit")

    @unblocked(where=WHERE, who=WHO, limit=st.sampled_from([1, 200, 0]))
    def drop_expired(self, where: int | None, who: int, limit: int) -> None:
        self._do(where, who, drop_expired(limit), alone="unit")

    @unblocked(
        where=WHERE,
        who=WHO,
        room=ROOM,
        verb=st.sampled_from(["history", "members"]),
        reason=st.sampled_from(["a complaint", "a complaint", ""]),
        limit=st.sampled_from([1, 50]),
    )
    def supervise(self, where: int | None, who: int, room: int, verb: str, reason: str, limit: int) -> None:
        self._do(where, who, supervise(self._room(room), verb, reason, limit), alone="once")
