"""Every table, one module for each area; importing this package makes `metadata` complete."""

from __future__ import annotations

from typing import Final

from . import (
    access,
    base,
    blocks,
    drafts,
    events,
    files,
    identity,
    invitations,
    mentions,
    messaging,
    pins,
    reactions,
    reading,
    retention,
    rooms,
    schedule,
    search,
    sessions,
    support,
    sync,
    threads,
)

AREAS: Final = (
    identity,
    blocks,
    rooms,
    invitations,
    messaging,
    reading,
    events,
    threads,
    drafts,
    schedule,
    files,
    reactions,
    mentions,
    pins,
    access,
    support,
    search,
    retention,
    sessions,
    sync,
)
"""Imported for the tables they add to `metadata`."""

metadata: Final = base.metadata

MONTHLY: Final = tuple(
    sorted(
        (name for name, table in metadata.tables.items() if table.info.get("leaf_keys")),
        key=lambda name: (name != "messages", name),
    )
)
"""Partitioned tables in the order their leaves are made: what a foreign key points at comes first."""
