"""Every table, one module for each area; importing this package makes `metadata` complete."""

from __future__ import annotations

from typing import Final

from . import base, events, identity, invitations, messaging, reading, retention, rooms, sessions, sync

AREAS: Final = (identity, rooms, invitations, messaging, reading, events, retention, sessions, sync)
"""Imported for the tables they add to `metadata`."""

metadata: Final = base.metadata

MONTHLY: Final = tuple(
    sorted(
        (name for name, table in metadata.tables.items() if table.info.get("leaf_keys")),
        key=lambda name: (name != "messages", name),
    )
)
"""Partitioned tables in the order their leaves are made: what a foreign key points at comes first."""
