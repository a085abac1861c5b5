"""People and tenants: made, changed, found."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from app.domain.identity import (
    Account,
    AccountStatus,
    CustomStatus,
    OnlineStatus,
    Profile,
    SettingsChange,
    Tenant,
    UserSettings,
    UserStatus,
)
from app.domain.ids import UserId
from app.domain.pages import Page
from app.domain.unit_of_work import Once, Reader, UnitOfWork
from app.testing import builders
from app.testing.sides import Act, Side
from app.testing.steps import FEW, WHERE, WHO, Aim, Look, Steps, unblocked

ACCOUNT_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "username": st.sampled_from(["Name 0", "name 1", "name 10", "NAME 2"]),
        "display_name": st.sampled_from(["Ann", None]),
        "account_status": st.sampled_from([AccountStatus.ACTIVE, AccountStatus.ACTIVE, AccountStatus.SUSPENDED]),
    },
)

STATUSES = st.sampled_from(OnlineStatus)

SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "theme": st.sampled_from(["light", "dark"]),
        "notifications_enabled": st.booleans(),
        "preferences": st.sampled_from([{}, {"a": 1}, {"a": True}, {"a": 1.0}]),
    },
)


def create_user(account: Account) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> None:
        await uow.users.create(account)

    return act


def save_user(user_id: UserId, changes: dict[str, Any]) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> Account:
        return await uow.users.save((await uow.users.hold(user_id)).changed(**changes))

    return act


def update_online_status(status: OnlineStatus) -> Act:
    async def act(side: Side, verbs: Once) -> UserStatus:
        return await verbs.users.update_online_status(status)

    return act


def set_custom_status(custom: CustomStatus | None) -> Act:
    async def act(side: Side, verbs: Once) -> UserStatus:
        return await verbs.users.set_custom_status(custom)

    return act


def update_settings(change: SettingsChange, version: int | None) -> Act:
    async def act(side: Side, verbs: Once) -> UserSettings:
        return await verbs.users.update_settings(change, expected_version=version)

    return act


async def _online(side: Side, reader: Reader, aim: Aim) -> Page[Profile]:
    page = await reader.users.find_online(side.cursor("online", aim.side), aim.limit)
    side.keep("online", page)
    return page


def create_tenant(tenant: Tenant) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> None:
        await uow.tenants.create(tenant)

    return act


LOOKS: dict[str, Look] = {
    "find_by_id": lambda s, r, a: r.users.find_by_id(a.user_id),
    "find_by_email": lambda s, r, a: r.users.find_by_email(f"N{a.limit}@example.org"),
    "find_by_username": lambda s, r, a: r.users.find_by_username(f"name  {a.limit}"),
    "find_by_external_id": lambda s, r, a: r.users.find_by_external_id(f"x{a.limit}"),
    "profile": lambda s, r, a: r.users.profile(a.user_id),
    "settings": lambda s, r, a: r.users.settings(a.user_id),
    "find_online": _online,
    "find_by_slug": lambda s, r, a: r.tenants.find_by_slug(f"{a.slug}-{a.limit}"),
}


class Identity(Steps):
    """People come, change and go; tenants come."""

    @unblocked(where=WHERE, names=st.tuples(FEW, FEW, FEW))
    def create_user(self, where: int | None, names: tuple[int, int, int]) -> None:
        account = builders.account(
            tenant_id=self.tenant.id,
            username=f"Name {names[0]}",
            email=f"n{names[1]}@example.org",
            external_id=f"x{names[2]}",
        )
        self.shared.add(account.id)
        self._do(where, 5, create_user(account), alone="unit")

    @unblocked(where=WHERE, subject=st.integers(0, 6), changes=ACCOUNT_CHANGES)
    def save_user(self, where: int | None, subject: int, changes: dict[str, Any]) -> None:
        self._do(where, 5, save_user(self._user(subject), changes), alone="unit")

    @unblocked(where=WHERE, who=WHO, status=STATUSES)
    def update_online_status(self, where: int | None, who: int, status: Any) -> None:
        self._do(where, who, update_online_status(status), alone="once")

    @unblocked(where=WHERE, who=WHO, text=st.sampled_from(["here", None]), seconds=st.sampled_from([None, 0, 1, 3600]))
    def set_custom_status(self, where: int | None, who: int, text: str | None, seconds: int | None) -> None:
        expires_at = None if seconds is None else self.harnesses[0].clock() + timedelta(seconds=seconds)
        custom = None if text is None else CustomStatus(text=text, expires_at=expires_at)
        self._do(where, who, set_custom_status(custom), alone="once")

    @unblocked(where=WHERE, who=WHO, fields=SETTINGS, version=st.sampled_from([None, None, 1, 2, 3]))
    def update_settings(self, where: int | None, who: int, fields: dict[str, Any], version: int | None) -> None:
        self._do(where, who, update_settings(SettingsChange(**fields), version), alone="once")

    @unblocked(where=WHERE, number=FEW)
    def create_tenant(self, where: int | None, number: int) -> None:
        slug = f"{self.tenant.slug}-{number}"
        made = builders.tenant(slug=slug)
        self.shared.add(made.id)
        self._do(where, 5, create_tenant(made), alone="unit")
