"""Roles, who holds them, and what somebody may do and why (SPEC 3.7)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from app.domain import access
from app.domain.access import Decision, Permission
from app.domain.access.roles import (
    AccessRole,
    NewRole,
    PermissionFamily,
    RoleNotFound,
    Scope,
    UserRole,
    require_own,
)
from app.domain.actors import Actor
from app.domain.grants import Grant
from app.domain.ids import AccessRoleId, Ids, RoomId, UserId
from app.domain.unit_of_work import Store, UnitOfWork

from . import arguments
from .acting import asked
from .retrying import retrying


class AccessService:
    """What is permitted to whom. Nobody hands on, changes or takes away more than is their own.

    Ids may be given as UUID, UUID text or ULID text; other text is `Invalid`. Every method raises `UserNotFound` for an
    actor who does not exist; where it asks, it raises `AccountInactive` for a barred account and `NotAllowed`.
    `room_id` None means everywhere.
    """

    def __init__(self, store: Store, ids: Ids) -> None:
        self._store = store
        self._ids = ids

    # ── what may be done ──────────────────────────────────────────────────────────────────────────────────────────

    async def can(self, actor: Actor, permission: Permission | str, room_id: RoomId | str | None = None) -> Decision:
        """Whether the actor has a permission, and by which rule: in a room, or everywhere. One round trip.

        Raises `RoomNotFound`, `Invalid` for an unknown permission.
        """
        wanted = arguments.one_of(Permission, permission, "permission")
        facts = await self._store.reader(actor).access.facts(actor.user_id, _place(room_id))
        return access.can(facts, wanted)

    async def explain(
        self, actor: Actor, user_id: UserId | str | None = None, room_id: RoomId | str | None = None
    ) -> tuple[Decision, ...]:
        """The decision about every permission, with its reason: of one's own, or of somebody else's.

        Of others it needs `GRANT_ROLE` there. Raises `UserNotFound`, `RoomNotFound`.
        """
        place = _place(room_id)
        subject = actor.user_id if user_id is None else arguments.user_id(user_id)
        reader = self._store.reader(actor).access
        if subject != actor.user_id:
            access.demand(await reader.facts(actor.user_id, place), Permission.GRANT_ROLE)
        facts = await reader.facts(subject, place)
        return tuple(access.can(facts, permission) for permission in Permission)

    async def domains(self, actor: Actor) -> tuple[PermissionFamily, ...]:
        """Every permission there is, by domain."""
        return await self._store.reader(actor).access.domains()

    # ── roles ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def roles(self, actor: Actor) -> tuple[AccessRole, ...]:
        """Every role of the tenant, by name: for anybody in good standing, whoever grants in a room has to choose."""
        reader = self._store.reader(actor).access
        access.demand_standing(await reader.facts(actor.user_id))
        return await reader.roles()

    @retrying
    async def create_role(self, actor: Actor, new: NewRole) -> AccessRole:
        """Makes a role. Needs `MANAGE_ROLES` everywhere, and everything the role is to hold.

        Raises `RoleNameTaken`.
        """
        async with self._store.unit_of_work(actor) as uow:
            require_own(await asked(uow, Permission.MANAGE_ROLES), new.permissions)
            role = AccessRole(
                **dict(new),
                id=AccessRoleId(self._ids()),
                tenant_id=actor.tenant_id,
                created_at=uow.now,
                updated_at=uow.now,
            )
            await uow.access.create_role(role)
            await uow.commit()
        return role

    @retrying
    async def rename_role(self, actor: Actor, role_id: AccessRoleId | str, name: str) -> AccessRole:
        """Gives a role another name. Needs `MANAGE_ROLES` everywhere.

        Raises `RoleNotFound`, `BuiltInRole`, `RoleNameTaken`, `Invalid`.
        """
        wanted = arguments.role_id(role_id)
        named = NewRole(name=name, scope=Scope.ROOM).name
        async with self._store.unit_of_work(actor) as uow:
            await asked(uow, Permission.MANAGE_ROLES)
            role = await uow.access.save_role((await _known(uow, wanted)).changed(name=named))
            await uow.commit()
        return role

    @retrying
    async def set_permissions(
        self, actor: Actor, role_id: AccessRoleId | str, permissions: Iterable[Permission | str]
    ) -> AccessRole:
        """Makes these the permissions of a role, for everybody who holds it, at once.

        Needs `MANAGE_ROLES` everywhere, and everything that is added. Raises `RoleNotFound`, `BuiltInRole`,
        `UnknownPermission`.
        """
        wanted, texts = arguments.role_id(role_id), arguments.texts(permissions, "permissions")
        async with self._store.unit_of_work(actor) as uow:
            facts = await asked(uow, Permission.MANAGE_ROLES)
            before = await _known(uow, wanted)
            after = before.changed(permissions=texts)
            require_own(facts, [text for text in after.permissions if text not in before.permissions])
            role = await uow.access.save_role(after)
            await uow.commit()
        return role

    @retrying
    async def delete_role(self, actor: Actor, role_id: AccessRoleId | str) -> None:
        """Deletes a role and takes it from everybody. Needs `MANAGE_ROLES` everywhere.

        Raises `RoleNotFound`, `BuiltInRole`.
        """
        wanted = arguments.role_id(role_id)
        async with self._store.unit_of_work(actor) as uow:
            await asked(uow, Permission.MANAGE_ROLES)
            await uow.access.delete_role(wanted)
            await uow.commit()

    # ── who holds them ────────────────────────────────────────────────────────────────────────────────────────────

    @retrying
    async def grant(
        self,
        actor: Actor,
        user_id: UserId | str,
        role_id: AccessRoleId | str,
        room_id: RoomId | str | None = None,
        expires_at: datetime | None = None,
    ) -> UserRole:
        """Gives a user a role, everywhere or in a room, for good or until a time; given again, the end is set anew.

        Needs `GRANT_ROLE` there, and everything the role holds. Raises `UserNotFound`, `RoleNotFound`, `RoomNotFound`,
        `Invalid` for a role of rooms granted everywhere, a time that is naive or past.
        """
        subject, wanted, place = arguments.user_id(user_id), arguments.role_id(role_id), _place(room_id)
        until = arguments.moment(expires_at, "expires_at")
        async with self._store.unit_of_work(actor) as uow:
            facts = await uow.access.facts(actor.user_id, place)
            access.demand(facts, Permission.GRANT_ROLE)
            role = await _known(uow, wanted)
            require_own(facts, role.permissions)
            granted = await uow.access.grant(
                UserRole.of(role, subject, place, granted_by=actor.user_id, expires_at=until, now=uow.now)
            )
            await uow.commit()
        return granted

    @retrying
    async def revoke(
        self,
        actor: Actor,
        user_id: UserId | str,
        role_id: AccessRoleId | str,
        room_id: RoomId | str | None = None,
    ) -> None:
        """Takes a role from a user at one place. One's own may be given up; of others it needs what `grant` needs.

        Raises `GrantNotFound`, `RoleNotFound`, `RoomNotFound`.
        """
        subject, wanted, place = arguments.user_id(user_id), arguments.role_id(role_id), _place(room_id)
        async with self._store.unit_of_work(actor) as uow:
            facts = await uow.access.facts(actor.user_id, place)
            if subject != actor.user_id:
                access.demand(facts, Permission.GRANT_ROLE)
                require_own(facts, (await _known(uow, wanted)).permissions)
            await uow.access.revoke(subject, wanted, place)
            await uow.commit()

    async def roles_of(self, actor: Actor, user_id: UserId | str) -> tuple[UserRole, ...]:
        """What a user was granted, everywhere first, then by room; expired grants included.

        Of others it needs `GRANT_ROLE` everywhere.
        """
        subject = arguments.user_id(user_id)
        reader = self._store.reader(actor).access
        if subject != actor.user_id:
            access.demand(await reader.facts(actor.user_id), Permission.GRANT_ROLE)
        return await reader.roles_of(subject)

    async def grants_of(
        self, actor: Actor, user_id: UserId | str, room_id: RoomId | str | None = None
    ) -> tuple[Grant, ...]:
        """The grants that count for a user in a room, or everywhere, with the role of their type of account.

        Of others it needs `GRANT_ROLE` there.
        """
        subject, place = arguments.user_id(user_id), _place(room_id)
        reader = self._store.reader(actor).access
        if subject != actor.user_id:
            access.demand(await reader.facts(actor.user_id, place), Permission.GRANT_ROLE)
        return await reader.grants_of(subject, place)

    @retrying
    async def drop_expired(self, actor: Actor, limit: int = 200) -> int:
        """Deletes up to `limit` (1 to 200) grants of the tenant that have expired; returns how many.

        For the maintenance job: expired grants allow nothing anyway. Needs `MANAGE_ROLES` everywhere.
        """
        async with self._store.unit_of_work(actor) as uow:
            await asked(uow, Permission.MANAGE_ROLES)
            dropped = await uow.access.drop_expired(limit)
            await uow.commit()
        return dropped


def _place(room_id: RoomId | str | None) -> RoomId | None:
    return None if room_id is None else arguments.room_id(room_id)


async def _known(uow: UnitOfWork, role_id: AccessRoleId) -> AccessRole:
    role = await uow.access.find_role(role_id)
    if role is None:
        raise RoleNotFound(role_id=str(role_id))
    return role
