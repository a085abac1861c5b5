"""What the migration seeds is what the code knows (SPEC 2.14)."""

from __future__ import annotations

import pytest

from app.domain.access import Permission
from app.domain.access.roles import BUILT_IN, DOMAINS, PATTERNS, built_in_id
from app.domain.ids import DEFAULT_TENANT, TenantId
from tests.migrations.catalog import Connection

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
