"""The contracts of `Users` and `Tenants`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from app.domain.actors import Actor
from app.domain.documents import EMPTY
from app.domain.errors import Invalid
from app.domain.identity import (
    Account,
    AccountStatus,
    AccountType,
    EmailTaken,
    ExternalIdTaken,
    OnlineStatus,
    SlugTaken,
    TenantNotFound,
    UsernameTaken,
    UserNotFound,
)
from app.domain.ids import UserId
from app.testing import builders, strategies
from app.testing.contracts.base import Contract, forms
from app.testing.world import Form, World, user_of

TAKEN = [("email", EmailTaken), ("username", UsernameTaken), ("external_id", ExternalIdTaken)]
UNSTORABLE = ["", " ", "\x00", "a\x00b", "\ud800", "\u200b", "x" * 5000, "\ufdfa" * 400, "'; --"]
"""Texts that name nothing: a look-up finds nothing, whatever the store would think of them."""


async def _create(world: World, account: Account) -> Account:
    async with world.unit() as uow:
        await uow.users.create(account)
        await uow.commit()
    return account


@pytest.mark.spec("2.1", "3.1")
class UsersContract(Contract):
    """Accounts: found by every name they have, each name once in a tenant."""

    async def test_an_account_is_found_by_each_of_its_names(self, world: World) -> None:
        account = builders.account(
            tenant_id=world.tenant.id,
            email="Ann.Lee@Example.org",
            username="Ann Lee",
            external_id="auth0|Ann",
        )
        await _create(world, account)
        users = world.reader().users
        user = account.as_user()
        assert await users.find_by_id(account.id) == user
        for email in ("Ann.Lee@Example.org", "ann.lee@example.ORG", "\uff21nn.lee@example.org"):
            assert await users.find_by_email(email) == user
        for username in ("Ann Lee", "ANN  LEE", "a\u200bnn lee", "\uff21nn Lee"):
            assert await users.find_by_username(username) == user
        assert await users.find_by_external_id("auth0|Ann") == user
        assert await users.find_by_external_id("auth0|ann") is None
        async with world.unit() as uow:
            assert await uow.users.hold(account.id) == account
            assert await uow.users.find_by_email("ann.lee@example.org") == user

    async def test_what_is_absent(self, world: World) -> None:
        users, nobody = world.reader().users, UserId(builders.new_id())
        assert await users.find_by_id(nobody) is None
        assert await users.find_by_email("nobody@example.org") is None
        assert await users.find_by_email("no e-mail at all") is None
        assert await users.find_by_username("nobody") is None
        assert await users.find_by_external_id("nobody") is None
        for verb in (users.profile, users.settings):
            with pytest.raises(UserNotFound):
                await verb(nobody)
        async with world.unit() as uow:
            with pytest.raises(UserNotFound):
                await uow.users.hold(nobody)
            with pytest.raises(UserNotFound):
                await uow.users.save(builders.account(id=nobody, tenant_id=world.tenant.id))

    @pytest.mark.parametrize("text", UNSTORABLE)
    async def test_text_that_names_nothing_finds_nothing(self, world: World, text: str) -> None:
        await world.person(username="ann", external_id="ann")
        async with world.unit() as uow:
            for users in (world.reader().users, uow.users):
                assert await users.find_by_email(text) is None
                assert await users.find_by_email(f"{text}@example.org") is None
                assert await users.find_by_username(text) is None
                assert await users.find_by_external_id(text) is None
            assert await uow.users.find_by_username("ann") is not None

    async def test_a_new_account_has_default_settings_and_is_offline(self, world: World) -> None:
        account = await _create(world, builders.account(tenant_id=world.tenant.id))
        users = world.reader().users
        profile, settings_ = await users.profile(account.id), await users.settings(account.id)
        assert (profile.user, profile.is_online) == (account.as_user(), False)
        assert (profile.status.user_id, profile.status.tenant_id) == (account.id, world.tenant.id)
        assert profile.status.status is OnlineStatus.OFFLINE
        assert profile.status.custom_status is None
        assert (settings_.user_id, settings_.tenant_id) == (account.id, world.tenant.id)
        assert (settings_.theme, settings_.notifications_enabled) == ("light", True)
        assert (settings_.preferences, settings_.version) == (EMPTY, 1)

    @settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
    @given(fields=strategies.account_fields())
    async def test_every_field_comes_back_as_it_was(self, world: World, fields: dict[str, Any]) -> None:
        for field in fields.keys() & {"email", "username", "external_id"}:  # the examples share a tenant
            fields[field] = builders.unique("u") + fields[field]
        account = await _create(world, builders.account(tenant_id=world.tenant.id, **fields))
        async with world.unit() as uow:
            assert await uow.users.hold(account.id) == account
        assert await world.reader().users.find_by_username(account.username) == account.as_user()

    @pytest.mark.parametrize(("field", "error"), TAKEN)
    @pytest.mark.parametrize("by", ["create", "save"])
    async def test_a_name_is_taken_once(self, world: World, field: str, error: type[Exception], by: str) -> None:
        name = "ann@example.org" if field == "email" else "ann"
        alike = name if field == "external_id" else name.replace("a", "\uff21", 1)
        first = await _create(world, builders.account(tenant_id=world.tenant.id, **{field: name}))
        second = builders.account(tenant_id=world.tenant.id)
        if by == "save":
            await _create(world, second)
        async with world.unit() as uow:
            if by == "save":
                await uow.users.hold(second.id)
            write = uow.users.create if by == "create" else uow.users.save
            with pytest.raises(error):
                await write(second.changed(**{field: alike}))
            await uow.commit()
        assert await world.reader().users.find_by_id(first.id) == first.as_user()
        found = await world.reader().users.find_by_id(second.id)
        assert found == (second.as_user() if by == "save" else None)

    @pytest.mark.parametrize("by", ["create", "save"])
    async def test_of_several_names_taken_the_first_in_order_is_told(self, world: World, by: str) -> None:
        taken = {"email": "ann@example.org", "external_id": "ann", "username": "Ann"}
        for field, name in taken.items():  # each by somebody else
            await _create(world, builders.account(tenant_id=world.tenant.id, **{field: name}))
        mine = builders.account(tenant_id=world.tenant.id)
        if by == "save":
            await _create(world, mine)
        refusals = {"email": EmailTaken, "external_id": ExternalIdTaken, "username": UsernameTaken}
        async with world.unit() as uow:
            write = uow.users.create if by == "create" else uow.users.save
            for field in ("email", "external_id", "username"):
                with pytest.raises(refusals[field]):
                    await write(mine.changed(**taken))
                del taken[field]

    async def test_external_ids_differ_by_case(self, world: World) -> None:
        for external_id in ("Ann", "ann"):
            await _create(world, builders.account(tenant_id=world.tenant.id, external_id=external_id))

    async def test_saving_keeps_ones_own_names(self, world: World) -> None:
        account = await _create(world, builders.account(tenant_id=world.tenant.id, external_id="x"))
        at = world.harness.clock.advance()
        async with world.unit() as uow:
            held = await uow.users.hold(account.id)
            saved = await uow.users.save(held.changed(username=held.username.upper(), first_name="Ann"))
            await uow.commit()
        assert saved == account.changed(username=account.username.upper(), first_name="Ann", updated_at=at)
        assert await world.reader().users.find_by_id(account.id) == saved.as_user()

    @pytest.mark.spec("1.4")
    async def test_a_name_given_up_is_free(self, world: World) -> None:
        account = await _create(world, builders.account(tenant_id=world.tenant.id, username="ann"))
        async with world.unit() as uow:
            await uow.users.save((await uow.users.hold(account.id)).changed(username="bea"))
            await uow.commit()
        second = await _create(world, builders.account(tenant_id=world.tenant.id, username="ann"))
        found = await world.reader().users.find_by_username("ann")
        assert found == second.as_user()

    @pytest.mark.spec("1.4")
    async def test_a_deleted_user_is_absent_and_their_names_free(self, world: World) -> None:
        """Unique rules apply among live rows only (SPEC 1.4)."""
        account = builders.account(tenant_id=world.tenant.id, username="ann", email="a@b.c", external_id="x")
        await _create(world, account)
        async with world.unit() as uow:
            await uow.users.save((await uow.users.hold(account.id)).changed(deleted_at=uow.now))
            await uow.commit()
        users = world.reader().users
        assert await users.find_by_id(account.id) is None
        assert await users.find_by_email("a@b.c") is None
        assert await users.find_by_username("ann") is None
        assert await users.find_by_external_id("x") is None
        for verb in (users.profile, users.settings):
            with pytest.raises(UserNotFound):
                await verb(account.id)
        with pytest.raises(UserNotFound):
            await world.once(Actor(user_id=account.id, tenant_id=world.tenant.id)).users.update_online_status(
                OnlineStatus.ONLINE
            )
        again = await _create(world, account.changed(id=builders.new_id()))
        assert await users.find_by_username("ann") == again.as_user()

    async def test_users_of_another_tenant_are_absent_and_their_names_free(self, world: World) -> None:
        account = builders.account(tenant_id=world.tenant.id, username="ann", email="a@b.c", external_id="x")
        await _create(world, account)
        elsewhere = await World.new(world.harness)
        users = elsewhere.reader().users
        assert await users.find_by_id(account.id) is None
        assert await users.find_by_email("a@b.c") is None
        assert await users.find_by_username("ann") is None
        assert await users.find_by_external_id("x") is None
        with pytest.raises(UserNotFound):
            await users.profile(account.id)
        async with elsewhere.unit() as uow:
            with pytest.raises(UserNotFound):
                await uow.users.hold(account.id)
            await uow.users.create(account.changed(id=builders.new_id(), tenant_id=elsewhere.tenant.id))
            await uow.commit()
        assert await users.find_by_username("ann") is not None

    async def test_an_account_needs_its_tenant(self, world: World) -> None:
        nowhere = Actor.system(builders.tenant().id)
        async with world.harness.store.unit_of_work(nowhere) as uow:
            with pytest.raises(TenantNotFound):
                await uow.users.create(builders.account(tenant_id=nowhere.tenant_id))

    @pytest.mark.parametrize("account_type", AccountType)
    @pytest.mark.parametrize("account_status", AccountStatus)
    async def test_every_kind_of_account(
        self, world: World, account_type: AccountType, account_status: AccountStatus
    ) -> None:
        account = builders.account(tenant_id=world.tenant.id, account_type=account_type, account_status=account_status)
        await _create(world, account)
        found = await world.reader().users.find_by_id(account.id)
        assert found == account.as_user()

    @pytest.mark.parametrize("account_type", [AccountType.GUEST, AccountType.ROBOT])
    async def test_guests_and_robots_need_no_address(self, world: World, account_type: AccountType) -> None:
        for _ in range(2):
            account = builders.account(
                tenant_id=world.tenant.id, account_type=account_type, email=None, password_hash=None
            )
            await _create(world, account)
            assert await world.reader().users.find_by_id(account.id) == account.as_user()

    # ── status ────────────────────────────────────────────────────────────────────────────────────────────────────

    @forms
    @pytest.mark.parametrize("status", OnlineStatus)
    async def test_status(self, world: World, form: Form, status: OnlineStatus) -> None:
        ann, bob = await world.persons(2)
        before = (await world.reader().users.profile(user_of(ann))).status
        at = world.harness.clock.advance()
        set_ = await world.perform(form, ann, lambda verbs: verbs.users.update_online_status(status))
        assert set_ == before.changed(status=status, last_seen_at=at, updated_at=at)
        profile = await world.reader(bob).users.profile(user_of(ann))
        assert profile.status == set_
        assert profile.user.updated_at < at, "presence does not rewrite the user"
        assert (await world.reader().users.profile(user_of(bob))).status.status is OnlineStatus.OFFLINE

    @forms
    async def test_status_of_nobody(self, world: World, form: Form) -> None:
        nobody = Actor(user_id=UserId(builders.new_id()), tenant_id=world.tenant.id)
        with pytest.raises(UserNotFound):
            await world.perform(form, nobody, lambda verbs: verbs.users.update_online_status(OnlineStatus.BUSY))
        elsewhere = await (await World.new(world.harness)).person()
        foreign = Actor(user_id=elsewhere.user_id, tenant_id=world.tenant.id)
        with pytest.raises(UserNotFound):
            await world.perform(form, foreign, lambda verbs: verbs.users.update_online_status(OnlineStatus.BUSY))
        with pytest.raises(Invalid) as refused:
            await world.perform(form, world.system, lambda v: v.users.update_online_status(OnlineStatus.BUSY))
        assert refused.value.details["field"] == "actor"


@pytest.mark.spec("2.25")
class TenantsContract(Contract):
    """Tenants are found by whoever asks; each slug once."""

    async def test_a_tenant_is_found_from_anywhere(self, world: World) -> None:
        elsewhere = await World.new(world.harness)
        assert await elsewhere.reader().tenants.find_by_slug(world.tenant.slug) == world.tenant
        async with elsewhere.unit() as uow:
            assert await uow.tenants.find_by_slug(world.tenant.slug) == world.tenant

    @pytest.mark.parametrize("slug", [*UNSTORABLE, "no-such-tenant", "NO-SUCH"])
    async def test_what_is_absent(self, world: World, slug: str) -> None:
        assert await world.reader().tenants.find_by_slug(slug) is None

    async def test_a_slug_is_compared_to_the_letter(self, world: World) -> None:
        assert await world.reader().tenants.find_by_slug(world.tenant.slug.upper()) is None

    async def test_a_slug_is_taken_once(self, world: World) -> None:
        async with world.unit() as uow:
            with pytest.raises(SlugTaken):
                await uow.tenants.create(builders.tenant(slug=world.tenant.slug))
            other = builders.tenant(settings={"plan": "gold", "limits": [1, 2.5, None]})
            await uow.tenants.create(other)
            await uow.commit()
        assert await world.reader().tenants.find_by_slug(world.tenant.slug) == world.tenant
        assert await world.reader().tenants.find_by_slug(other.slug) == other
