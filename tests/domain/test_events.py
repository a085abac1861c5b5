"""What an event carries."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.domain.errors import Invalid
from app.domain.events import EventKind, RoomEvent
from app.domain.ids import DEFAULT_TENANT, RoomId

pytestmark = pytest.mark.spec("5.1")

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_an_event_carries_ids_and_no_content() -> None:
    assert set(RoomEvent.model_fields) == {
        "room_id", "kind", "message_id", "user_id", "tenant_id", "revision", "actor_id", "correlation_id", "created_at"
    }  # fmt: skip


def test_revisions_start_at_one() -> None:
    for revision, allowed in ((1, True), (0, False)):
        fields = {"room_id": RoomId(UUID(int=9)), "kind": EventKind.ROOM_CREATED, "tenant_id": DEFAULT_TENANT}
        if allowed:
            RoomEvent(**fields, revision=revision, correlation_id="c", created_at=NOW)  # type: ignore[arg-type]  # a dict
        else:
            with pytest.raises(Invalid, match="revision"):
                RoomEvent(**fields, revision=revision, correlation_id="c", created_at=NOW)  # type: ignore[arg-type]  # a dict


def test_a_kind_is_a_noun_and_what_happened_to_it() -> None:
    nouns = {"room", "member", "invitation", "message", "reaction", "file", "robot", "escalation", "conversation"}
    assert {kind.value.split(".")[0] for kind in EventKind} == nouns
    assert all(kind.value.count(".") == 1 for kind in EventKind)
