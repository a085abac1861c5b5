"""What the migration seeds is what the code knows (SPEC 2.14)."""

from __future__ import annotations

import asyncpg
import pytest

from app.domain.access import Permission
from app.domain.access.roles import BUILT_IN, DOMAINS, PATTERNS, built_in_id
from app.domain.actors import Actor
from app.domain.identity import AccountType
from app.domain.ids import DEFAULT_TENANT, TenantId
from app.testing import builders
from tests.migrations.catalog import Connection
from tests.migrations.filling import open_store

pytestmark = [pytest.mark.postgres, pytest.mark.spec("2.14")]


async def test_domains_and_permissions_are_those_of_the_code(migrated_connection: Connection) -> None:
    domains = await migrated_connection.fetch("SELECT permission_prefix, description FROM access_permission_domains")
    assert dict(tuple(row) for row in domains) == DOMAINS
    rows = await migrated_connection.fetch("SELECT domain || ':' || function || ':' || action FROM permissions")
    stored = [text for (text,) in rows]
    assert sorted(stored) == sorted(PATTERNS)
    assert {text for text in stored if "*" not in text} == set(Permission)


async def test_every_tenant_has_the_built_in_roles_whoever_makes_it(migrated_connection: Connection) -> None:
    made = await migrated_connection.fetchval("INSERT INTO tenants (slug, name) VALUES ('new', 'New') RETURNING id")
    for tenant_id in (DEFAULT_TENANT, TenantId(made)):
        rows = await migrated_connection.fetch(
            "SELECT r.id, r.name, array_agg(p.domain || ':' || p.function || ':' || p.action) FROM roles r"
            " JOIN role_permissions rp ON rp.role_id = r.id JOIN permissions p ON p.id = rp.permission_id"
            " WHERE r.tenant_id = $1 AND r.built_in AND r.scope = 'global' GROUP BY r.id",
            tenant_id,
        )
        assert {(role_id, name, tuple(sorted(held))) for role_id, name, held in rows} == {
            (built_in_id(tenant_id, kind.value), kind.value, tuple(sorted(patterns)))
            for kind, patterns in BUILT_IN.items()
        }


async def test_old_rows_of_roles_and_grants_are_kept(filled_connection: Connection) -> None:
    """The filling changed a role: its row, and the permission it lost. A grant ended, and a role deleted, are kept."""
    kept = "SELECT count(*) FROM {}_history"
    assert await filled_connection.fetchval(kept.format("roles")) == 1
    assert await filled_connection.fetchval(kept.format("role_permissions")) == 1
    grants = await filled_connection.fetchval("SELECT count(*) FROM user_roles")
    assert grants == 2
    await filled_connection.execute("UPDATE user_roles SET expires_at = now(); UPDATE user_roles SET room_id = room_id")
    await filled_connection.execute("DELETE FROM roles WHERE NOT built_in")
    rows = await filled_connection.fetch("SELECT operation_type, count(*) FROM user_roles_history GROUP BY 1")
    assert {tuple(row) for row in rows} == {("UPDATE", grants), ("DELETE", grants)}
    assert await filled_connection.fetchval(kept.format("roles")) == 2


async def test_after_a_supervised_read_the_rest_of_a_unit_is_still_its_actors(filled_url: str) -> None:
    """It reads as if nobody acted; what is kept of the next change says who made it."""
    supervisor = builders.account(account_type=AccountType.SUPERVISOR)
    room = builders.room()
    async with open_store(filled_url) as store:
        async with store.unit_of_work(Actor.system()) as uow:
            await uow.users.create(supervisor)
            await uow.rooms.create(room, ())
            await uow.commit()
        async with store.unit_of_work(Actor(user_id=supervisor.id, correlation_id="later")) as uow:
            await uow.supervision.history(room.id, "a complaint", limit=1)
            await uow.rooms.save(room.changed(name="Other"))
            await uow.commit()
    connection = await asyncpg.connect(filled_url)
    kept = await connection.fetchrow("SELECT changed_by, correlation_id FROM rooms_history WHERE id = $1", room.id)
    await connection.close()
    assert tuple(kept or ()) == (supervisor.id, "later")
