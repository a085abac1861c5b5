"""What an area brings to the test of the indexes: a statement for each of its indexes, and rows enough to need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TENANT = "'00000000-0000-7000-8000-000000000001'"
NOBODY = "NULL"
ZERO = "'00000000-0000-0000-0000-000000000000'"
TOP = "'ffffffff-ffff-ffff-ffff-ffffffffffff'"


@dataclass(frozen=True)
class Query:
    """The statement of ours that needs an index.

    `{user_7}`, `{room_7}` and `{message_7}` (the seventh of room 1) in it are looked up beforehand, and so is what the
    area names: only the statement itself is measured.
    """

    index: str
    statement: str
    measured: str | None = None
    """What is run in its place with and without the index, where the statement itself cannot run without."""
    is_walked: bool = False
    """Whether the index is read in its order, from its beginning, and not entered at a value of its first column."""

    @property
    def deletes(self) -> bool:
        """Undone too, it leaves pages that an index-only scan has to look at: such statements come last."""
        return self.statement.startswith("DELETE")


@dataclass(frozen=True)
class Area:
    """One area; its rows come from the .sql file of its name, which may use what `numbers.sql` defines."""

    name: str
    queries: tuple[Query, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    """Values of its own for its statements: name and the expression that finds it."""
