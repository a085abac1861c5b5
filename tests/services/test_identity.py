"""Accounts, profiles and status, as a person meets them."""

from __future__ import annotations

from uuid import uuid4

import pytest
from pydantic import SecretStr

from app.domain import identity, ids
from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.identity import AccountStatus, AccountType, OnlineStatus, ProfileChange, Registration, User
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
