"""What rooms and decisions ask of roles and grants in memory; what changes them is in `access`."""

from __future__ import annotations

from app.domain.access.roles import AccessRole, UserRole, built_in_id, built_in_roles
from app.domain.grants import Grant, Standing, in_order
from app.domain.identity import Account, Tenant
from app.domain.ids import RoomId, UserId
from app.domain.text import key_of
from app.domain.values import Moment

from .tables import GRANTS_OF_USER, ROLE_NAMES, ROLES, ROLES_OF_TENANT, USER_ROLES, Overlay, View


def add_built_in_roles(view: Overlay, tenant: Tenant) -> None:
    """What every new tenant begins with."""
    for role in built_in_roles(tenant):
        put_role(view, role)


def put_role(view: Overlay, role: AccessRole) -> None:
    """Stores a role, new or not."""
    key = key_of(role.name)
    view.put(ROLES, role.id, role)
    view.put(ROLE_NAMES, (role.tenant_id, key), role.id)
    view.add(ROLES_OF_TENANT, role.tenant_id, (key, role.id))


def standing_of(view: View, now: Moment, account: Account, room_id: RoomId | None) -> Standing:
    """What an account brings to a decision in a room, or everywhere."""
    return Standing(now, account.account_type, account.is_barred, grants_held(view, account, room_id))


def grants_held(view: View, account: Account, room_id: RoomId | None) -> tuple[Grant, ...]:
    """The role of the account's type, and what was granted everywhere and in the room."""
    held = []
    by_account = view.get(ROLES, built_in_id(account.tenant_id, account.account_type.value))
    if by_account is not None:
        held.append(Grant(by_account.id, by_account.name, by_account.permissions, by_account=True))
    for given in user_roles_of(view, account.id):
        role = view.get(ROLES, given.role_id)
        if role is not None and given.room_id in (None, room_id):
            held.append(Grant(role.id, role.name, role.permissions, given.room_id, given.granted_by, given.expires_at))
    return in_order(held)


def user_roles_of(view: View, user_id: UserId) -> list[UserRole]:
    """Every grant of a user: everywhere first, then by room; then by role."""
    keys = view.keys(GRANTS_OF_USER, user_id)
    found = (view.get(USER_ROLES, (user_id, *keys[n])) for n in range(len(keys)))
    return [user_role for user_role in found if user_role is not None]
