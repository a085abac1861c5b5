"""Accounts, profiles and status, as a person meets them."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from pydantic import SecretStr

from app.domain import identity, ids
from app.domain.actors import Actor
from app.domain.errors import Invalid, StaleVersion
from app.domain.identity import (
    AccountStatus,
    AccountType,
    OnlineStatus,
    ProfileChange,
    Registration,
    SettingsChange,
    User,
    standing,
)
from app.domain.ids import UserId
from tests.services.world import World, id_of, registration

pytestmark = pytest.mark.spec("3.1")


async def test_a_member_registers_and_is_found_in_every_way(world: World) -> None:
    user = await world.chat.identity.register(
        world.system,
        Registration(
            username="Ann", email="Ann@Example.org", password=SecretStr("correct horse"), external_id="auth0|1"
        ),
    )
    assert type(user) is User
    assert (user.account_type, user.account_status) == (AccountType.MEMBER, AccountStatus.PENDING_VERIFICATION)
    assert user.created_at == user.updated_at == world.clock()
    found = world.chat.identity
    assert await found.find_by_id(world.system, user.id) == user
    assert await found.find_by_id(world.system, str(user.id)) == user
    assert await found.find_by_id(world.system, ids.ulid(user.id)) == user
    assert await found.find_by_email(world.system, "ANN@example.ORG") == user
    assert await found.find_by_username(world.system, "ａnn") == user
    assert await found.find_by_external_id(world.system, "auth0|1") == user


async def test_who_is_not_there_is_none(world: World) -> None:
    found = world.chat.identity
    assert await found.find_by_id(world.system, UserId(uuid4())) is None
    assert await found.find_by_email(world.system, "nobody@example.org") is None
    assert await found.find_by_email(world.system, "no e-mail at all") is None
    assert await found.find_by_username(world.system, "nobody") is None
    assert await found.find_by_external_id(world.system, "nobody") is None


async def test_the_password_is_kept_as_a_hash_only(world: World) -> None:
    ann = await world.person("ann")
    async with world.chat.store.unit_of_work(ann) as uow:
        account = await uow.users.hold(id_of(ann))
    assert account.password_hash == "plain:correct horse"  # as the test's hashing has it
    assert not hasattr(await world.chat.identity.find_by_id(ann, id_of(ann)), "password_hash")


async def test_without_an_email_there_is_nothing_to_verify(world: World) -> None:
    guest = await world.chat.identity.register(world.system, registration("guest", AccountType.GUEST))
    assert guest.account_status is AccountStatus.ACTIVE


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"username": "ANN"}, identity.UsernameTaken),
        ({"email": "ann@EXAMPLE.org"}, identity.EmailTaken),
        ({"external_id": "auth0|1"}, identity.ExternalIdTaken),
    ],
)
async def test_a_name_belongs_to_one(world: World, fields: dict[str, str], refusal: type[Exception]) -> None:
    taken = {"username": "ann", "email": "ann@example.org", "external_id": "auth0|1"}
    await world.chat.identity.register(world.system, Registration(password=SecretStr("correct horse"), **taken))  # type: ignore[arg-type]  # a dict
    other = {"username": "bob", "email": "bob@example.org", "external_id": "auth0|2", **fields}
    with pytest.raises(refusal):
        await world.chat.identity.register(world.system, Registration(password=SecretStr("correct horse"), **other))  # type: ignore[arg-type]  # a dict
    assert await world.chat.identity.find_by_username(world.system, "bob") is None


async def test_staff_is_made_by_the_application(world: World) -> None:
    ann = await world.person("ann")
    with pytest.raises(identity.StaffOnly):
        await world.chat.identity.register(ann, registration("root", AccountType.ADMIN))
    assert (await world.chat.identity.register(ann, registration("bob"))).account_type is AccountType.MEMBER
    root = await world.chat.identity.register(world.system, registration("root", AccountType.ADMIN))
    assert root.account_type is AccountType.ADMIN


async def test_a_member_needs_email_and_password(world: World) -> None:
    with pytest.raises(Invalid, match="email"):
        await world.chat.identity.register(world.system, Registration(username="ann"))


async def test_a_person_changes_their_own_profile(world: World) -> None:
    ann = await world.person("ann")
    later = world.clock.go_on()
    changed = await world.chat.identity.update_profile(ann, ProfileChange(display_name="Ann", username="Anna"))
    assert (changed.display_name, changed.username, changed.updated_at) == ("Ann", "Anna", later)
    assert await world.chat.identity.find_by_username(ann, "anna") == changed
    assert await world.chat.identity.find_by_username(ann, "ann") is None
    await world.person("bob")
    with pytest.raises(identity.UsernameTaken):
        await world.chat.identity.update_profile(ann, ProfileChange(username="BOB"))
    assert await world.chat.identity.find_by_id(ann, id_of(ann)) == changed


async def test_who_has_no_profile_to_change(world: World) -> None:
    with pytest.raises(Invalid, match="actor: must be a person"):
        await world.chat.identity.update_profile(world.system, ProfileChange(display_name="X"))
    with pytest.raises(identity.UserNotFound):
        await world.chat.identity.update_profile(Actor(user_id=UserId(uuid4())), ProfileChange(display_name="X"))
    ann = await world.person("ann")
    await world.bar(ann)
    with pytest.raises(identity.AccountInactive):
        await world.chat.identity.update_profile(ann, ProfileChange(display_name="X"))


async def test_a_profile_shows_who_is_there(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    assert not (await world.chat.identity.profile(bob, id_of(ann))).is_online
    seen = world.clock.go_on()
    status = await world.chat.identity.update_online_status(ann, OnlineStatus.BUSY)
    assert (status.status, status.last_seen_at) == (OnlineStatus.BUSY, seen)
    profile = await world.chat.identity.profile(bob, ids.ulid(id_of(ann)))
    assert profile.is_online
    assert profile.status == status
    assert (await world.chat.identity.update_online_status(ann, "offline")).status is OnlineStatus.OFFLINE


async def test_what_is_no_status_or_user_is_refused(world: World) -> None:
    ann = await world.person("ann")
    with pytest.raises(Invalid, match="status: must be one of offline, online, away, busy"):
        await world.chat.identity.update_online_status(ann, "asleep")
    with pytest.raises(Invalid, match="actor"):
        await world.chat.identity.update_online_status(world.system, "online")
    with pytest.raises(identity.UserNotFound):
        await world.chat.identity.update_online_status(Actor(user_id=UserId(uuid4())), "online")
    with pytest.raises(identity.UserNotFound):
        await world.chat.identity.profile(ann, UserId(uuid4()))
    with pytest.raises(Invalid, match="user_id: is neither"):
        await world.chat.identity.profile(ann, "ann")


async def test_settings_are_ones_own(world: World) -> None:
    ann = await world.person("ann")
    assert (await world.chat.identity.settings(ann)).user_id == id_of(ann)
    with pytest.raises(Invalid, match="actor"):
        await world.chat.identity.settings(world.system)


@pytest.mark.parametrize("text", ["a\0b", "a\0@b.c", "\ud800", "", "\u200b", "x" * 10_000])
async def test_what_no_account_can_be_called_is_not_found(world: World, text: str) -> None:
    assert await world.chat.identity.find_by_email(world.system, text) is None
    assert await world.chat.identity.find_by_username(world.system, text) is None
    assert await world.chat.identity.find_by_external_id(world.system, text) is None


async def test_a_barred_person_registers_nobody(world: World) -> None:
    ann = await world.person("ann")
    await world.bar(ann)
    with pytest.raises(identity.AccountInactive):
        await world.chat.identity.register(ann, registration("bob"))
    assert await world.chat.identity.find_by_username(world.system, "bob") is None


# ── settings and statuses ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_person_changes_their_settings(world: World) -> None:
    ann = await world.person("ann")
    changed = await world.chat.identity.update_settings(ann, SettingsChange(theme="dark"), expected_version=1)
    assert (changed.theme, changed.version) == ("dark", 2)
    assert await world.chat.identity.settings(ann) == changed
    with pytest.raises(StaleVersion):
        await world.chat.identity.update_settings(ann, SettingsChange(theme="blue"), expected_version=1)
    for version in (0, 2**31, True, "2"):
        with pytest.raises(Invalid, match="expected_version"):
            await world.chat.identity.update_settings(ann, SettingsChange(), expected_version=version)  # type: ignore[arg-type]  # wrong values are the point
    with pytest.raises(Invalid, match="actor"):
        await world.chat.identity.update_settings(world.system, SettingsChange(theme="blue"))


async def test_a_custom_status_expires(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    until = world.clock() + timedelta(minutes=5)
    await world.chat.identity.set_custom_status(ann, "☕", expires_at=until)
    assert (await world.chat.identity.profile(bob, id_of(ann))).status.custom_status == "☕"
    world.clock.go_on(300)
    assert (await world.chat.identity.profile(bob, id_of(ann))).status.custom_status is None
    await world.chat.identity.set_custom_status(ann, "back")
    world.clock.go_on(10_000_000)
    assert (await world.chat.identity.profile(bob, id_of(ann))).status.custom_status == "back"
    assert (await world.chat.identity.clear_custom_status(ann)).custom_status is None
    with pytest.raises(Invalid, match="expires_at: must lie ahead"):
        await world.chat.identity.set_custom_status(ann, "late", expires_at=world.clock())
    with pytest.raises(Invalid, match="text"):
        await world.chat.identity.set_custom_status(ann, "x" * 256)


async def test_who_is_there(world: World) -> None:
    ann, bob, cid = await world.persons("ann", "bob", "cid")
    for actor in (ann, bob, cid):
        world.clock.go_on()
        await world.chat.identity.update_online_status(actor, "away")
    await world.chat.identity.update_online_status(bob, "offline")
    first = await world.chat.identity.find_online(ann, limit=1)
    then = await world.chat.identity.find_online(ann, after=first.newer)
    assert [p.user.username for p in (*first.items, *then.items)] == ["cid", "ann"]


# ── barring ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("verb", ["suspend", "deactivate"])
async def test_staff_bars_and_lets_back(world: World, verb: str) -> None:
    ann = await world.person("ann")
    root = await world.person("root", AccountType.ADMIN)
    boss = await world.person("boss", AccountType.SUPERVISOR)
    bar = getattr(world.chat.identity, verb)
    status = AccountStatus.SUSPENDED if verb == "suspend" else AccountStatus.DEACTIVATED
    for count, staff in enumerate((world.system, root, boss), 1):
        barred = await bar(staff, id_of(ann))
        assert barred.account_status is status
        assert await bar(staff, id_of(ann)) == barred, "a repeat changes nothing"
        assert barred == await world.chat.identity.find_by_id(root, id_of(ann))
        with pytest.raises(identity.AccountInactive):
            await world.chat.identity.update_profile(ann, ProfileChange(display_name="X"))
        with pytest.raises(identity.AccountInactive):
            await world.chat.identity.deactivate(ann)
        async with world.chat.store.unit_of_work(world.system) as uow:
            assert (await uow.users.hold(id_of(ann))).session_epoch == count
        for _ in range(2):
            back = await world.chat.identity.reactivate(staff, ids.ulid(id_of(ann)))
            assert back.account_status is AccountStatus.PENDING_VERIFICATION
        await world.chat.identity.update_profile(ann, ProfileChange(display_name="X"))


async def test_who_bars_nobody(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    root = await world.person("root", AccountType.ADMIN)
    boss = await world.person("boss", AccountType.SUPERVISOR)
    accounts = world.chat.identity
    for verb in (accounts.suspend, accounts.reactivate, accounts.deactivate):
        for actor, subject in ((ann, bob), (boss, root), (boss, boss if verb != accounts.deactivate else root)):
            with pytest.raises(standing.NotStaff):
                await verb(actor, id_of(subject))
        with pytest.raises(identity.UserNotFound):
            await verb(root, UserId(uuid4()))
        with pytest.raises(Invalid, match="user_id: is neither"):
            await verb(root, "ann")
    with pytest.raises(Invalid, match="actor"):
        await accounts.deactivate(world.system)
    await accounts.suspend(world.system, id_of(root))
    with pytest.raises(identity.AccountInactive):
        await accounts.suspend(root, id_of(ann))
    assert (await accounts.deactivate(ann)).account_status is AccountStatus.DEACTIVATED
    assert (await accounts.deactivate(bob, id_of(bob))).account_status is AccountStatus.DEACTIVATED


# ── external ids ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_external_id_is_linked_and_unlinked(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    accounts = world.chat.identity
    for _ in range(2):
        assert (await accounts.link_external_id(world.system, id_of(ann), "sso|1")).external_id == "sso|1"
    assert await accounts.find_by_external_id(bob, "sso|1") == await accounts.find_by_id(bob, id_of(ann))
    with pytest.raises(standing.AlreadyLinked):
        await accounts.link_external_id(world.system, id_of(ann), "sso|2")
    with pytest.raises(identity.ExternalIdTaken):
        await accounts.link_external_id(world.system, id_of(bob), "sso|1")
    for actor in (bob, ann):
        with pytest.raises(standing.NotStaff):  # nobody has checked what a person claims
            await accounts.link_external_id(actor, id_of(bob), "sso|2")
    with pytest.raises(standing.NotStaff):
        await accounts.unlink_external_id(bob, id_of(ann))
    for wrong in ("", "x" * 129, "a\0b", None):
        with pytest.raises(Invalid, match="external_id"):
            await accounts.link_external_id(world.system, id_of(bob), wrong)  # type: ignore[arg-type]  # wrong values are the point
    for _ in range(2):
        assert (await accounts.unlink_external_id(ann, id_of(ann))).external_id is None
    assert await accounts.find_by_external_id(bob, "sso|1") is None


async def test_an_account_stays_known_by_something(world: World) -> None:
    user = await world.chat.identity.register(world.system, Registration(username="ann", external_id="sso|1"))
    with pytest.raises(standing.NotKnownOtherwise):
        await world.chat.identity.unlink_external_id(Actor(user_id=user.id), user.id)
    assert (await world.chat.identity.find_by_external_id(world.system, "sso|1")) == user
