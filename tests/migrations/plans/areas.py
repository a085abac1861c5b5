"""The areas in the order they are filled in; a new one adds its two files and its line here."""

from __future__ import annotations

from tests.migrations.plans import audit, identity, later, messaging, reading, rooms

AREAS = (identity.AREA, rooms.AREA, messaging.AREA, reading.AREA, audit.AREA, later.AREA)
