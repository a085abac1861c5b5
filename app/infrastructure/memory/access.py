"""Roles, grants and facts in memory."""

from __future__ import annotations

from app.domain.access import Facts, Permission
from app.domain.access.ports import Access, AccessReader
from app.domain.access.roles import (
    DOMAINS,
    AccessRole,
    GrantNotFound,
    PermissionFamily,
    RoleNameTaken,
    RoleNotFound,
    UserRole,
    require_changeable,
)
from app.domain.errors import Conflict
from app.domain.grants import Grant
from app.domain.identity import TenantNotFound
from app.domain.ids import NO_ID, AccessRoleId, RoomId, TenantId, UserId
from app.domain.pages import checked_limit
from app.domain.text import key_of

from .grants import grants_held, put_role, standing_of, user_roles_of
from .identity import live_account, require_account, require_known
from .rooms import live_room, require_room
from .tables import (
    ENDING_GRANTS,
    GRANTS_OF_ROLE,
    GRANTS_OF_USER,
    ROLE_NAMES,
    ROLES,
    ROLES_OF_TENANT,
    SEATS,
    USER_ROLES,
    GrantKey,
    Overlay,
    View,
)
from .transaction import Reads, Transaction, Writes

# ── the ports ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class MemoryAccessReader(AccessReader):
    """Reads roles and grants."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def domains(self) -> tuple[PermissionFamily, ...]:
        async with self._reads.reading():
            return tuple(
                PermissionFamily(
                    prefix, DOMAINS[prefix], tuple(sorted(p.value for p in Permission if p.startswith(f"{prefix}:")))
                )
                for prefix in sorted(DOMAINS)
            )

    async def roles(self) -> tuple[AccessRole, ...]:
        async with self._reads.reading() as view:
            names = view.keys(ROLES_OF_TENANT, self._reads.actor.tenant_id)
            found = (view.get(ROLES, names[n][1]) for n in range(len(names)))
            return tuple(role for role in found if role is not None)

    async def find_role(self, role_id: AccessRoleId) -> AccessRole | None:
        async with self._reads.reading() as view:
            return _role(view, self._reads.actor.tenant_id, role_id)

    async def roles_of(self, user_id: UserId) -> tuple[UserRole, ...]:
        tenant_id = self._reads.actor.tenant_id
        async with self._reads.reading() as view:
            if live_account(view, tenant_id, user_id) is None:
                return ()
            return tuple(
                user_role
                for user_role in user_roles_of(view, user_id)
                if user_role.room_id is None or live_room(view, tenant_id, user_role.room_id) is not None
            )

    async def grants_of(self, user_id: UserId, room_id: RoomId | None = None) -> tuple[Grant, ...]:
        tenant_id = self._reads.actor.tenant_id
        async with self._reads.reading() as view:
            account = live_account(view, tenant_id, user_id)
            if account is None:
                return ()
            room = None if room_id is None else live_room(view, tenant_id, room_id)
            return grants_held(view, account, None if room is None else room.id)

    async def facts(self, user_id: UserId | None, room_id: RoomId | None = None) -> Facts:
        tenant_id = self._reads.actor.tenant_id
        async with self._reads.reading() as view:
            account = None if user_id is None else require_account(view, tenant_id, user_id)
            room = None if room_id is None else require_room(view, tenant_id, room_id)
            seat = None if user_id is None or room_id is None else view.get(SEATS, (room_id, user_id))
            return Facts(
                standing=None if account is None else standing_of(view, self._reads.now, account, room_id),
                in_room=room is not None,
                membership=seat,
                lets_guests_in=room is None or room.guest_access_allowed,
            )


class MemoryAccess(MemoryAccessReader, Access):
    """Roles and grants inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        super().__init__(reads)
        self._writes = writes

    async def create_role(self, role: AccessRole) -> None:
        async with self._writes.writing() as tx:
            if role.tenant_id != tx.actor.tenant_id:
                raise TenantNotFound(tenant_id=str(role.tenant_id))
            await tx.claim_all(
                role.id, (ROLES, role.id, Conflict), (ROLE_NAMES, (role.tenant_id, key_of(role.name)), RoleNameTaken)
            )
            put_role(tx.view, role)

    async def save_role(self, role: AccessRole) -> AccessRole:
        async with self._writes.writing() as tx:
            before = await _changeable(tx, role.id)
            name = (before.tenant_id, key_of(role.name))
            await tx.claim_all(role.id, (ROLE_NAMES, name, RoleNameTaken))
            await tx.lock(ROLE_NAMES, (before.tenant_id, key_of(before.name)))
            after = before.changed(name=role.name, permissions=role.permissions, updated_at=tx.now)
            _remove_role(tx.view, before)
            put_role(tx.view, after)
            return after

    async def delete_role(self, role_id: AccessRoleId) -> None:
        async with self._writes.writing() as tx:
            role = await _changeable(tx, role_id)
            await tx.lock(ROLE_NAMES, (role.tenant_id, key_of(role.name)))
            held = tx.view.keys(GRANTS_OF_ROLE, role_id)
            for user_id, place_id in [held[n] for n in range(len(held))]:
                await tx.lock(USER_ROLES, (user_id, place_id, role_id))
                _remove_grant(tx, (user_id, place_id, role_id))
            _remove_role(tx.view, role)
            tx.view.remove(ROLES, role_id)

    async def grant(self, user_role: UserRole) -> UserRole:
        async with self._writes.writing() as tx:
            await _locked_role(tx, user_role.role_id)  # what is granted stays what it is until the unit ends
            require_account(tx.view, tx.actor.tenant_id, user_role.user_id)
            if user_role.room_id is not None:
                require_room(tx.view, tx.actor.tenant_id, user_role.room_id)
            if user_role.granted_by is not None:
                require_known(tx.view, tx.actor.tenant_id, user_role.granted_by)
            key: GrantKey = (user_role.user_id, user_role.room_id or NO_ID, user_role.role_id)
            await tx.lock(USER_ROLES, key)
            before = tx.view.get(USER_ROLES, key)
            granted = user_role.changed(created_at=tx.now if before is None else before.created_at, updated_at=tx.now)
            _remove_grant(tx, key)
            tx.view.put(USER_ROLES, key, granted)
            tx.view.add(GRANTS_OF_USER, granted.user_id, key[1:])
            tx.view.add(GRANTS_OF_ROLE, granted.role_id, key[:2])
            if granted.expires_at is not None:
                tx.view.add(ENDING_GRANTS, granted.tenant_id, (granted.expires_at, key))
            return granted

    async def revoke(self, user_id: UserId, role_id: AccessRoleId, room_id: RoomId | None = None) -> None:
        async with self._writes.writing() as tx:
            key: GrantKey = (user_id, room_id or NO_ID, role_id)
            if tx.view.get(USER_ROLES, key) is not None:
                await tx.lock(USER_ROLES, key)
            before = tx.view.get(USER_ROLES, key)
            if before is None or before.tenant_id != tx.actor.tenant_id:
                raise GrantNotFound(user_id=str(user_id), role_id=str(role_id))
            _remove_grant(tx, key)

    async def drop_expired(self, limit: int) -> int:
        checked_limit(limit)
        async with self._writes.writing() as tx:
            ending = tx.view.keys(ENDING_GRANTS, tx.actor.tenant_id)
            ended: list[GrantKey] = []
            for n in range(len(ending)):
                expires_at, key = ending[n]
                if expires_at > tx.now or len(ended) == limit:
                    break
                if not tx.is_held_by_another(USER_ROLES, key):  # it may get a new end
                    ended.append(key)
            for key in ended:
                await tx.lock(USER_ROLES, key)
                _remove_grant(tx, key)
            return len(ended)


# ── storing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _role(view: View, tenant_id: TenantId, role_id: AccessRoleId) -> AccessRole | None:
    role = view.get(ROLES, role_id)
    return None if role is None or role.tenant_id != tenant_id else role


async def _locked_role(tx: Transaction, role_id: AccessRoleId) -> AccessRole:
    if _role(tx.view, tx.actor.tenant_id, role_id) is not None:
        await tx.lock(ROLES, role_id)
    role = _role(tx.view, tx.actor.tenant_id, role_id)
    if role is None:
        raise RoleNotFound(role_id=str(role_id))
    return role


async def _changeable(tx: Transaction, role_id: AccessRoleId) -> AccessRole:
    role = await _locked_role(tx, role_id)
    require_changeable(role)
    return role


def _remove_role(view: Overlay, role: AccessRole) -> None:
    key = key_of(role.name)
    view.remove(ROLE_NAMES, (role.tenant_id, key))
    view.discard(ROLES_OF_TENANT, role.tenant_id, (key, role.id))


def _remove_grant(tx: Transaction, key: GrantKey) -> None:
    before = tx.view.get(USER_ROLES, key)
    if before is None:
        return
    user_id, place_id, role_id = key
    tx.view.remove(USER_ROLES, key)
    tx.view.discard(GRANTS_OF_USER, user_id, (place_id, role_id))
    tx.view.discard(GRANTS_OF_ROLE, role_id, (user_id, place_id))
    if before.expires_at is not None:
        tx.view.discard(ENDING_GRANTS, before.tenant_id, (before.expires_at, key))
