"""The areas in the order they are filled in; a new one adds its two files and its line here."""

from __future__ import annotations

from tests.migrations.plans import (
    answers,
    audit,
    blocks,
    drafts,
    files,
    identity,
    invitations,
    mentions,
    messaging,
    pins,
    reactions,
    reading,
    rooms,
    schedule,
    threads,
)

AREAS = (
    identity.AREA,
    rooms.AREA,
    invitations.AREA,
    messaging.AREA,
    reading.AREA,
    files.AREA,
    audit.AREA,
    blocks.AREA,
    threads.AREA,
    drafts.AREA,
    schedule.AREA,
    answers.AREA,
    reactions.AREA,
    mentions.AREA,
    pins.AREA,
    audit.AREA,
)
