"""What every value of the domain keeps to."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from app.domain import actors, events, identity, imports, messaging, reading, rooms
from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.identity import Tenant
from app.domain.ids import DEFAULT_TENANT
from app.domain.values import Value

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TENANT: dict[str, Any] = {
    "id": DEFAULT_TENANT,
    "slug": "default",
    "name": "Default",
    "created_at": NOW,
    "updated_at": NOW,
}
MODELS = sorted(
    {
        model
        for module in (actors, events, identity, imports, messaging, reading, rooms)
        for model in vars(module).values()
        if isinstance(model, type) and issubclass(model, Value) and model is not Value
    },
    key=lambda model: model.__name__,
)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_is_frozen_and_refuses_unknown_fields(model: type[Value]) -> None:
    assert model.model_config.get("frozen")
    with pytest.raises(Invalid):
        model(nonsense=1)
    assert not hasattr(model, "__table__")  # a table class validates nothing


def test_a_value_does_not_change() -> None:
    tenant = Tenant(**TENANT)
    with pytest.raises(ValidationError, match="frozen"):
        tenant.name = "Other"  # type: ignore[misc]  # the attempt is the point
    other = tenant.changed(name="Other")
    assert (tenant.name, other.name, other.id) == ("Default", "Other", tenant.id)


def test_a_change_is_validated_like_the_first() -> None:
    with pytest.raises(Invalid, match="slug"):
        Tenant(**TENANT).changed(slug="No Slug")
    with pytest.raises(Invalid, match="nonsense"):
        Tenant(**TENANT).changed(nonsense=1)


@pytest.mark.spec("1.2")
def test_times_are_aware_and_kept_in_utc() -> None:
    tenant = Tenant(**{**TENANT, "created_at": NOW.astimezone(timezone(timedelta(hours=5, minutes=45)))})
    assert tenant.created_at == NOW
    assert tenant.created_at.tzinfo is UTC
    with pytest.raises(Invalid) as refused:
        Tenant(**{**TENANT, "created_at": NOW.replace(tzinfo=None)})
    assert refused.value.details["field"] == "created_at"


@pytest.mark.parametrize("slug", ["a", "a-b", "9", "a" * 63])
def test_slugs(slug: str) -> None:
    assert Tenant(**{**TENANT, "slug": slug}).slug == slug


@pytest.mark.parametrize("slug", ["", "-a", "a-", "a--b", "A", "a" * 64, "ä", "a\n"])
def test_what_is_no_slug(slug: str) -> None:
    with pytest.raises(Invalid, match="slug"):
        Tenant(**{**TENANT, "slug": slug})


def test_an_actor_is_in_the_default_tenant_with_a_correlation_id_of_its_own() -> None:
    one, other = Actor.system(), Actor.system()
    assert (one.user_id, one.tenant_id) == (None, DEFAULT_TENANT)
    assert one.correlation_id != other.correlation_id


@pytest.mark.parametrize("text", ["", "a b", "x" * 65, "a\n", "é", "a;b"])
def test_what_is_no_correlation_id(text: str) -> None:
    with pytest.raises(Invalid, match="correlation_id"):
        Actor(user_id=None, correlation_id=text)
    assert Actor(user_id=None, correlation_id="x" * 64)
