"""What every value of the domain is: validated when made, never changed after."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, ConfigDict, ValidationError
from sqlmodel import SQLModel

from .errors import Invalid

# SQLModel keeps SQLAlchemy's MetaData under the name our users know from the column. On data models it is of no use,
# so the field may take the name; pydantic would warn at each class that does.
warnings.filterwarnings("ignore", r'Field name "metadata" in "\w+" shadows an attribute', UserWarning)


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""An aware time, kept in UTC (SPEC 1.2); a naive one is refused."""


class Value(SQLModel):
    """A frozen SQLModel data model: unknown fields are refused, a change makes a new value.

    Raises `Invalid`, naming the field and the limit, where pydantic would raise its own error: callers of chatcore
    handle one family of errors. (`model_validate` keeps pydantic's, which web frameworks expect.)
    """

    model_config = ConfigDict(  # type: ignore[assignment]  # SQLModel narrows the type; the keys are pydantic's
        frozen=True, extra="forbid", arbitrary_types_allowed=False, hide_input_in_errors=True
    )

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise Invalid.of(error) from None

    def changed(self, **changes: Any) -> Self:
        """A new value with some fields set anew, validated like the first."""
        return type(self)(**{**dict(self), **changes})
