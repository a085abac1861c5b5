"""Every index has a statement of ours that uses it and is dearer without it, on a million messages (SPEC 2, indexes).

What is looked at are the statements inside the functions, as the server ran them (auto_explain), not copies of them. An
index that nothing here needs fails by its name; so does a new one that is in no area's list (`plans/<area>.py`).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from tests.conftest import DatabaseServer
from tests.migrations.plans.area import Query
from tests.migrations.plans.areas import AREAS
from tests.migrations.plans.volume import FOLDER, Volume, filled

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.spec("2")]

QUERIES = sorted((query for area in AREAS for query in area.queries), key=lambda query: query.deletes)


@pytest.fixture(scope="module")
async def volume(database_server: DatabaseServer) -> AsyncIterator[Volume]:
    async with (
        database_server.database(await database_server.template("volume", filled)) as url,
        Volume.open(url) as volume,
    ):
        yield volume


async def test_no_index_is_there_without_a_statement(volume: Volume) -> None:
    """Keys aside, the indexes of the catalogue are those of the lists."""
    rows = await volume.connection.fetch("""
        SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
         WHERE c.relnamespace = 'public'::regnamespace AND NOT t.relispartition
           AND NOT EXISTS (SELECT FROM pg_constraint n WHERE n.conindid = i.indexrelid AND n.contype IN ('p', 'u', 'x'))
    """)
    assert sorted(name for (name,) in rows) == sorted(query.index for query in QUERIES)


def test_no_area_is_left_out() -> None:
    """Every area's rows are filled in and its queries run."""
    assert {path.stem for path in FOLDER.glob("*.sql")} - {"numbers"} == {area.name for area in AREAS}


async def test_there_are_a_million_messages_of_which_the_counters_are_right(volume: Volume) -> None:
    """The rows are told by arithmetic: were it wrong, plans would be measured on a chat that cannot be."""
    rows = await volume.connection.fetchrow("""
        SELECT count(*), count(*) FILTER (WHERE position <> row_number OR countable <> counted)
          FROM (SELECT position, countable, row_number() OVER place,
                       count(*) FILTER (WHERE message_type <> 'system') OVER place AS counted
                  FROM messages WINDOW place AS (PARTITION BY room_id ORDER BY id)) m
    """)
    assert tuple(rows or ()) == (1_000_000, 0)
    wrong = await volume.connection.fetchval("""
        SELECT count(*) FROM rooms r LEFT JOIN messages m ON m.room_id = r.id AND m.id = r.last_message_id
         WHERE (r.last_position, r.last_countable) IS DISTINCT FROM (coalesce(m.position, 0), coalesce(m.countable, 0))
            OR EXISTS (SELECT FROM messages n WHERE n.room_id = r.id AND n.id > r.last_message_id)
    """)
    assert wrong == 0


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.index)
async def test_the_statement_of_an_index_uses_it_and_is_dearer_without(volume: Volume, query: Query) -> None:
    """At the first call and, for a plan may change with the calls, at the eighth.

    An index whose columns stand in the wrong order may still be read from end to end, which is cheaper than its table;
    so it has to be entered at a value of its first column.
    """
    async with volume.session() as session:
        found = await session.measure(query)
    column = "" if query.is_walked else await volume.first_column(query.index)
    for plans in (found.first, found.eighth):
        conditions = [plan.indexes[query.index] for plan in plans if query.index in plan.indexes]
        assert conditions, f"{query.index} is not used: {[(plan.query, sorted(plan.indexes)) for plan in plans]}"
        assert any(re.search(rf"\b{column}\b", condition) for condition in conditions), (
            f"{query.index} is read whole: {conditions}"
        )
    told = f"{query.index}: {found.pages} pages with it, {found.pages_without} without"
    assert found.pages_without > found.pages, told
