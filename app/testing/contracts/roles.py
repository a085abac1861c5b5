"""The contract of roles."""

from __future__ import annotations

import pytest

from app.domain.access import Permission
from app.domain.access.roles import (
    DOMAINS,
    PATTERNS,
    BuiltInRole,
    GrantNotFound,
    RoleNameTaken,
    RoleNotFound,
    built_in_id,
    built_in_roles,
)
from app.domain.errors import Conflict
from app.domain.identity import TenantNotFound
from app.testing import builders
from app.testing.contracts.access import DELETE_ANY, NO_ROLE, built_in, give, held, make_role, with_access
from app.testing.contracts.base import Contract, blocked, released
from app.testing.world import World, user_of


@pytest.mark.spec("2.14", "3.7")
class RolesContract(Contract):
    """Roles: what there is from the start, made, changed, deleted."""

    async def test_the_domains_are_those_of_the_code(self, world: World) -> None:
        ann = await world.person()
        for actor in (ann, world.system):
            found = await world.reader(actor).access.domains()
            assert {family.prefix: family.description for family in found} == DOMAINS
            assert [p for family in found for p in family.permissions] == sorted(Permission)

    async def test_every_tenant_begins_with_the_built_in_roles(self, world: World) -> None:
        roles = await world.reader().access.roles()
        assert roles == tuple(sorted(built_in_roles(world.tenant), key=lambda role: role.name))
        assert [role.id for role in roles] == [built_in_id(world.tenant.id, role.name) for role in roles]
        for role in roles:
            assert await world.reader().access.find_role(role.id) == role

    async def test_built_in_roles_never_change(self, world: World) -> None:
        for role in await world.reader().access.roles():
            async with world.unit() as uow:
                with pytest.raises(BuiltInRole):
                    await uow.access.save_role(role.changed(name="other"))
                with pytest.raises(BuiltInRole):
                    await uow.access.save_role(role.changed(permissions=()))
                with pytest.raises(BuiltInRole):
                    await uow.access.delete_role(role.id)
                await uow.commit()
        assert await world.reader().access.roles() == built_in(world)

    async def test_a_role_is_made_changed_and_deleted(self, world: World) -> None:
        role = await make_role(world, "chat:room:*", DELETE_ANY, name="Helpers")
        assert await world.reader().access.find_role(role.id) == role
        assert await world.reader().access.roles() == (*built_in(world)[:2], role, built_in(world)[2])
        at = world.harness.clock.advance()
        saved = await with_access(world, lambda a: a.save_role(role.changed(name="Hosts", permissions=(DELETE_ANY,))))
        assert saved == role.changed(name="Hosts", permissions=(DELETE_ANY,), updated_at=at)
        assert await world.reader().access.find_role(role.id) == saved
        at = world.harness.clock.advance()
        emptied = await with_access(world, lambda a: a.save_role(saved.changed(permissions=())))
        assert emptied == saved.changed(permissions=(), updated_at=at) == await world.reader().access.find_role(role.id)
        await with_access(world, lambda a: a.delete_role(role.id))
        assert await world.reader().access.find_role(role.id) is None
        assert await world.reader().access.roles() == built_in(world)
        await make_role(world, name="Helpers")

    async def test_every_pattern_can_be_held(self, world: World) -> None:
        role = await make_role(world, *PATTERNS)
        assert await world.reader().access.find_role(role.id) == role
        assert role.permissions == tuple(sorted(PATTERNS))

    @pytest.mark.parametrize("name", ["Helpers", "HELPERS", "Ｈelpers", "hel\u200bpers"])
    async def test_a_name_is_taken_once(self, world: World, name: str) -> None:
        await make_role(world, name="helpers")
        other = await make_role(world, name="others", permissions=("chat:*:*",))
        taken = builders.access_role(name=name, tenant_id=world.tenant.id)
        async with world.unit() as uow:
            with pytest.raises(RoleNameTaken):
                await uow.access.create_role(taken)
            with pytest.raises(RoleNameTaken):
                await uow.access.save_role(other.changed(name=name, permissions=()))
            assert await uow.access.find_role(other.id) == other
            await uow.commit()
        assert await world.reader().access.find_role(other.id) == other
        elsewhere = await World.new(world.harness)
        await make_role(elsewhere, name=name)

    async def test_a_name_of_a_built_in_role_is_taken(self, world: World) -> None:
        async with world.unit() as uow:
            with pytest.raises(RoleNameTaken):
                await uow.access.create_role(builders.access_role(name="Admin", tenant_id=world.tenant.id))

    async def test_a_role_may_change_how_its_own_name_is_written(self, world: World) -> None:
        role = await make_role(world, name="helpers")
        saved = await with_access(world, lambda a: a.save_role(role.changed(name="Helpers")))
        assert saved.name == "Helpers"

    async def test_what_is_absent_or_of_another_tenant(self, world: World) -> None:
        ann = await world.person()
        role = await make_role(world, "chat:room:*")
        await give(world, ann, role)
        elsewhere = await World.new(world.harness)
        for there, role_id in ((world, NO_ROLE), (elsewhere, role.id)):
            theirs = builders.access_role(id=role_id, tenant_id=there.tenant.id)
            granted = builders.user_role(user_of(ann), role_id, tenant_id=there.tenant.id)
            assert await there.reader().access.find_role(role_id) is None
            async with there.unit() as uow:
                for call in (
                    uow.access.save_role(theirs),
                    uow.access.delete_role(role_id),
                    uow.access.grant(granted),
                ):
                    with pytest.raises(RoleNotFound):
                        await call
                with pytest.raises(GrantNotFound):
                    await uow.access.revoke(user_of(ann), role_id)
                await uow.commit()
        async with elsewhere.unit() as uow:
            with pytest.raises(TenantNotFound):
                await uow.access.create_role(builders.access_role(tenant_id=world.tenant.id))
            with pytest.raises(RoleNotFound):
                await uow.access.save_role(role)
            with pytest.raises(RoleNotFound):
                await uow.access.grant(builders.user_role(user_of(ann), role.id, tenant_id=world.tenant.id))
            await uow.commit()
        assert await elsewhere.reader().access.roles_of(user_of(ann)) == ()
        assert await elsewhere.reader().access.grants_of(user_of(ann)) == ()
        assert await world.reader().access.grants_of(user_of(ann)) == (held(role),)

    async def test_one_id_is_one_role(self, world: World) -> None:
        role = await make_role(world)
        async with world.unit() as uow:
            with pytest.raises(Conflict):
                await uow.access.create_role(role.changed(name="another name"))

    async def test_who_makes_a_role_of_a_name_being_made_waits(self, world: World) -> None:
        one, other = (builders.access_role(name="Helpers", tenant_id=world.tenant.id) for _ in range(2))
        async with world.unit() as uow:
            await uow.access.create_role(one)
            waiting = await blocked(world.harness, with_access(world, lambda a: a.create_role(other)))
            await uow.commit()
        with pytest.raises(RoleNameTaken):
            await released(world.harness, waiting)
