"""The areas in the order they are filled in; a new one adds its two files and its line here."""

from __future__ import annotations

from tests.migrations.plans import (
    access,
    answers,
    audit,
    blocks,
    drafts,
    files,
    identity,
    invitations,
    later,
    mentions,
    messaging,
    pins,
    reactions,
    reading,
    rooms,
    schedule,
    search,
    support,
    threads,
)

AREAS = (
    identity.AREA,
    rooms.AREA,
    invitations.AREA,
    messaging.AREA,
    reading.AREA,
    support.AREA,
    search.AREA,
    files.AREA,
    blocks.AREA,
    threads.AREA,
    drafts.AREA,
    schedule.AREA,
    answers.AREA,
    reactions.AREA,
    mentions.AREA,
    pins.AREA,
    audit.AREA,
    access.AREA,
    later.AREA,
)
