"""What people set about themselves: settings, statuses, and who is there to be seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from app.domain.actors import Actor
from app.domain.errors import Invalid, StaleVersion
from app.domain.identity import (
    AccountInactive,
    AccountStatus,
    CustomStatus,
    OnlineStatus,
    Profile,
    SettingsChange,
    UserNotFound,
)
from app.domain.ids import UserId
from app.domain.pages import MAX_LIMIT, Cursor, InvalidCursor, sealed
from app.domain.unit_of_work import Once
from app.testing import builders
from app.testing.contracts.base import Contract, forms
from app.testing.world import Form, World, user_of

WRITES: dict[str, Callable[[Once], Awaitable[Any]]] = {
    "update_online_status": lambda verbs: verbs.users.update_online_status(OnlineStatus.BUSY),
    "set_custom_status": lambda verbs: verbs.users.set_custom_status(CustomStatus(text="out")),
    "clear": lambda verbs: verbs.users.set_custom_status(None),
    "update_settings": lambda verbs: verbs.users.update_settings(SettingsChange(theme="dark")),
}
writes = pytest.mark.parametrize("write", WRITES)


@pytest.mark.spec("3.1")
class OwnContract(Contract):
    """Settings and statuses are set by the person they are of, in one statement."""

    @forms
    @writes
    async def test_who_may_not_set_anything(self, world: World, form: Form, write: str) -> None:
        nobody = Actor(user_id=UserId(builders.new_id()), tenant_id=world.tenant.id)
        elsewhere = await (await World.new(world.harness)).person()
        for stranger in (nobody, Actor(user_id=elsewhere.user_id, tenant_id=world.tenant.id)):
            with pytest.raises(UserNotFound):
                await world.perform(form, stranger, WRITES[write])
        with pytest.raises(Invalid) as refused:
            await world.perform(form, world.system, WRITES[write])
        assert refused.value.details["field"] == "actor"
        ann = await world.person()
        before = await world.reader().users.profile(user_of(ann)), await world.reader().users.settings(user_of(ann))
        for barred in (AccountStatus.SUSPENDED, AccountStatus.DEACTIVATED):
            await world.change_account(ann, account_status=barred)
            with pytest.raises(AccountInactive):
                await world.perform(form, ann, WRITES[write])
        await world.change_account(ann, account_status=AccountStatus.ACTIVE)
        profile, settings = (
            await world.reader().users.profile(user_of(ann)),
            await world.reader().users.settings(user_of(ann)),
        )
        assert (profile.status, settings) == (before[0].status, before[1])
        await world.change_account(ann, deleted_at=world.harness.clock())
        with pytest.raises(UserNotFound):
            await world.perform(form, ann, WRITES[write])

    # ── settings ──────────────────────────────────────────────────────────────────────────────────────────────────

    @forms
    @pytest.mark.parametrize(
        "fields",
        [
            {"theme": "dark"},
            {"notifications_enabled": False},
            {"preferences": {"sound": True, "mute": ["a", {"b": None}], "wide": 2.5}},
            {"theme": "nächtlich", "notifications_enabled": False, "preferences": {"a": {}}},
        ],
    )
    async def test_what_is_named_is_set(self, world: World, form: Form, fields: dict[str, Any]) -> None:
        ann, bob = await world.persons(2)
        before = await world.reader().users.settings(user_of(ann))
        at = world.harness.clock.advance()
        change = SettingsChange(**fields)
        made = await world.perform(form, ann, lambda verbs: verbs.users.update_settings(change, expected_version=1))
        assert made == before.changed(**fields, version=2, updated_at=at)
        assert await world.reader().users.settings(user_of(ann)) == made
        assert (await world.reader().users.settings(user_of(bob))).version == 1

    @forms
    async def test_preferences_are_replaced_as_a_whole(self, world: World, form: Form) -> None:
        ann = await world.person()
        made = await world.reader().users.settings(user_of(ann))
        for preferences in ({"a": 1, "b": 2}, {"b": 3}, {}):
            change = SettingsChange(preferences=preferences)  # type: ignore[arg-type]  # validated to a document
            made = await world.perform(form, ann, lambda verbs, c=change: verbs.users.update_settings(c))  # type: ignore[misc]  # a default binds the loop's value
            assert made.preferences == preferences
        assert made.version == 4

    @forms
    async def test_a_change_that_changes_nothing_writes_nothing(self, world: World, form: Form) -> None:
        ann = await world.person()
        preferences = {"a": [1, True, 2.5], "b": {"c": None}}
        first = await world.once(ann).users.update_settings(SettingsChange(preferences=preferences))  # type: ignore[arg-type]  # validated to a document
        world.harness.clock.advance()
        for same in (
            SettingsChange(),
            SettingsChange(theme="light"),
            SettingsChange(preferences=preferences),  # type: ignore[arg-type]  # the same
        ):
            made = await world.perform(form, ann, lambda verbs, c=same: verbs.users.update_settings(c))  # type: ignore[misc]  # a default binds the loop's value
            assert made == first
        alike = SettingsChange(preferences={"a": [1, 1, 2.5], "b": {"c": None}})  # type: ignore[arg-type]  # the same
        assert (await world.perform(form, ann, lambda verbs: verbs.users.update_settings(alike))).version == 3

    @forms
    async def test_a_version_that_no_longer_stands_is_stale(self, world: World, form: Form) -> None:
        ann = await world.person()
        dark = await world.once(ann).users.update_settings(SettingsChange(theme="dark"))
        for version in (1, 3, 2**31 - 1):
            for change in (SettingsChange(theme="blue"), SettingsChange()):
                with pytest.raises(StaleVersion):
                    await world.perform(
                        form,
                        ann,
                        lambda verbs, v=version, c=change: verbs.users.update_settings(c, expected_version=v),  # type: ignore[misc]  # defaults bind the loop's values
                    )
        assert await world.reader().users.settings(user_of(ann)) == dark

    # ── statuses ──────────────────────────────────────────────────────────────────────────────────────────────────

    @forms
    async def test_a_custom_status_is_set_kept_and_cleared(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        await world.once(ann).users.update_online_status(OnlineStatus.AWAY)
        before = await world.reader().users.profile(user_of(ann))
        at = world.harness.clock.advance()
        custom = CustomStatus(text="🏖️ bis Montag")
        made = await world.perform(form, ann, lambda verbs: verbs.users.set_custom_status(custom))
        assert made == before.status.changed(custom_status=custom.text, updated_at=at)
        profile = await world.reader(bob).users.profile(user_of(ann))
        assert profile == Profile(user=before.user, status=made), "a status does not rewrite the user"
        at = world.harness.clock.advance()
        online = await world.perform(form, ann, lambda verbs: verbs.users.update_online_status(OnlineStatus.ONLINE))
        assert online == made.changed(status=OnlineStatus.ONLINE, last_seen_at=at, updated_at=at)
        at = world.harness.clock.advance()
        cleared = await world.perform(form, ann, lambda verbs: verbs.users.set_custom_status(None))
        assert cleared == online.changed(custom_status=None, updated_at=at)
        assert (await world.reader(bob).users.profile(user_of(bob))).status.custom_status is None

    @forms
    async def test_an_expired_custom_status_reads_as_absent(self, world: World, form: Form) -> None:
        ann = await world.person()
        expires_at = world.harness.clock() + timedelta(seconds=60)
        custom = CustomStatus(text="lunch", expires_at=expires_at)
        made = await world.perform(form, ann, lambda verbs: verbs.users.set_custom_status(custom))
        assert (made.custom_status, made.custom_status_expires_at) == ("lunch", expires_at)
        world.harness.clock.advance(59.999)
        assert (await world.reader().users.profile(user_of(ann))).status.custom_status == "lunch"
        world.harness.clock.advance(0.001)
        async with world.unit() as uow:
            for users in (world.reader().users, uow.users):
                status = (await users.profile(user_of(ann))).status
                assert (status.custom_status, status.custom_status_expires_at) == (None, None)
        seen = await world.perform(form, ann, lambda verbs: verbs.users.update_online_status(OnlineStatus.ONLINE))
        assert (seen.custom_status, seen.custom_status_expires_at) == (None, None)
        (there,) = (await world.reader().users.find_online(None, 10)).items
        assert there.status == seen

    @forms
    @pytest.mark.parametrize("seconds", [0, -1])
    async def test_an_expiry_lies_ahead(self, world: World, form: Form, seconds: int) -> None:
        ann = await world.person()
        custom = CustomStatus(text="gone", expires_at=world.harness.clock() + timedelta(seconds=seconds))
        for actor in (ann, world.system):
            with pytest.raises(Invalid) as refused:
                await world.perform(form, actor, lambda verbs: verbs.users.set_custom_status(custom))
            assert refused.value.details["field"] == "expires_at"
        assert (await world.reader().users.profile(user_of(ann))).status.custom_status is None


@pytest.mark.spec("2.3", "3.1")
class OnlineContract(Contract):
    """Who of a tenant is not offline, seen latest first."""

    async def _come(self, world: World, number: int) -> list[UserId]:
        """So many people come online, two in each second; returned as the list should have them."""
        people = await world.persons(number)
        for count, person in enumerate(people):
            if count % 2 == 0:
                world.harness.clock.advance()
            status = list(OnlineStatus)[1 + count % 3]
            await world.once(person).users.update_online_status(status)
        seen = [(count // 2, user_of(person)) for count, person in enumerate(people)]
        return [user_id for _, user_id in sorted(seen, reverse=True)]

    async def test_nobody_is_there_at_first(self, world: World) -> None:
        await world.persons(2)
        page = await world.reader().users.find_online(None, 10)
        assert (page.items, page.older, page.newer) == ((), None, None)

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
    async def test_pages_show_each_person_once_in_order(self, world: World, limit: int) -> None:
        order = await self._come(world, 7)
        found: list[Profile] = []
        after: Cursor | None = None
        while True:
            page = await world.reader().users.find_online(after, limit)
            assert len(page.items) == min(limit, 7 - len(found))
            found += page.items
            after = page.newer
            if after is None:
                break
        assert [profile.user.id for profile in found] == order
        for profile in found:
            assert profile == await world.reader().users.profile(profile.user.id)
            assert profile.is_online

    async def test_who_is_not_in_the_list(self, world: World) -> None:
        order = await self._come(world, 5)
        elsewhere = await World.new(world.harness)
        await self._come(elsewhere, 1)
        people = {user_of(person): person for person in world.people}
        await world.once(people[order[0]]).users.update_online_status(OnlineStatus.OFFLINE)
        await world.change_account(people[order[1]], account_status=AccountStatus.SUSPENDED)
        await world.change_account(people[order[2]], deleted_at=world.harness.clock())
        await world.change_account(people[order[3]], account_status=AccountStatus.PENDING_VERIFICATION)
        async with world.unit() as uow:
            for users in (world.reader().users, uow.users):
                found = await users.find_online(None, 10)
                assert [profile.user.id for profile in found.items] == order[3:]

    async def test_who_is_seen_again_moves_to_the_top(self, world: World) -> None:
        order = await self._come(world, 4)
        people = {user_of(person): person for person in world.people}
        world.harness.clock.advance()
        await world.once(people[order[3]]).users.update_online_status(OnlineStatus.BUSY)
        found = await world.reader().users.find_online(None, 10)
        assert [profile.user.id for profile in found.items] == [order[3], *order[:3]]

    @pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1, True, "5", 2.0, None])
    async def test_a_limit_is_judged(self, world: World, limit: Any) -> None:
        with pytest.raises(Invalid) as refused:
            await world.reader().users.find_online(None, limit)
        assert refused.value.details["field"] == "limit"

    @pytest.mark.parametrize(
        "cursor",
        [
            Cursor("nonsense"),
            Cursor(""),
            Cursor("\x00é"),
            sealed("members:x", b"\0" * 24),
            sealed("presence", b"\0" * 23),
            sealed("presence", b"\0" * 25),
            sealed("presence", b"\x7f" + b"\xff" * 23),
            sealed("presence", b"\x80" + b"\0" * 23),
        ],
    )
    async def test_a_cursor_is_judged(self, world: World, cursor: Cursor) -> None:
        with pytest.raises(InvalidCursor):
            await world.reader().users.find_online(cursor, 10)
