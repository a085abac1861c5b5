"""What is found by which question, in which order, and what is shown of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.errors import Invalid
from app.domain.messaging import MessageType
from app.domain.pages import Cursor, InvalidCursor, sealed
from app.domain.search import FILTER_MAX, LIMIT_MAX, Order, Search
from app.domain.search.query import TERMS_MAX, TEXT_MAX
from app.testing.contracts.base import Contract
from app.testing.contracts.pages import BAD_LIMITS, NO_CURSORS, damaged
from app.testing.contracts.search.asking import ask, find, index
from app.testing.harness import START
from app.testing.world import NO_MESSAGE, NO_ROOM, NOBODY, World, user_of

SAID = (
    "The quick brown fox",
    "the Quick fox, BROWN as ever",
    "foxes are quick-witted",
    "e-mail fox@example.org, please",
    "東京都庁へ行きました",
    "京都の東",
    "สวัสดีครับทุกคน",
    "Straße ﬁne café cafe\u0301 naïve",
    "fox fox fox",
    "it's 3.14 or 2026-05-15",
    "🎉🎉 done",
    "O'Reilly \\ 'quoted' & | ! <-> :* (x)",
)

QUESTIONS = {
    "fox": (0, 1, 3, 8),
    "FOX quick": (0, 1),
    "fox -quick": (3, 8),
    "fo*": (0, 1, 2, 3, 8),
    "fo* -fox": (2,),
    '"quick brown"': (0,),
    '"quick fox brown"': (1,),
    "quick-wi*": (2,),
    "quick-w*": None,
    'fox -"brown fox"': (1, 3, 8),
    '"fox fox"': (8,),
    '"fox fox fox fox"': (),
    "e-mail": (3,),
    "fox@example.org": (3,),
    "東京": (4,),
    "京都": (4, 5),
    "東": (4, 5),
    "京": (4, 5),
    "庁へ行き": (4,),
    "京東": (),
    "東京 -都庁": (),
    "京都 -都庁": (5,),
    "東*": (4, 5),
    "สวัส": (6,),
    "ทุก": (6,),
    "strasse": (7,),
    "fine CAFÉ": (7,),
    '"café café"': (7,),
    "ＦＯＸ": (0, 1, 3, 8),
    "f\u200box": (0, 1, 3, 8),
    "3.14": (9,),
    "2026-05": (9,),
    "it's": (9,),
    "🎉": (10,),
    "🎉🎉🎉": (),
    "o'reilly": (11,),
    "\\": None,
    "quoted & x": (11,),
    "“quick brown”": (0,),
    '"quick brown': (0,),
    "-fox": None,
    "": None,
    " \t\n": None,
    "!!! & | <->": None,
    '""': None,
    "f*": None,
    "-f* fox": None,
    "fox -": (0, 1, 3, 8),
    "fox --quick": (3, 8),
    "nowhere": (),
    "'; DROP TABLE messages; --": (),
    "fox:* | quick": (0, 1, 2),
    "a\0b": None,
    "a\ud800": None,
    "x" * TEXT_MAX: (),
    "x" * (TEXT_MAX + 1): None,
    " ".join(f"w{n}" for n in range(TERMS_MAX)): (),
    " ".join(f"w{n}" for n in range(TERMS_MAX + 1)): None,
}
"""What is asked, and which of `SAID` answer it; None: it is no question."""


@pytest.mark.spec("2.19", "3.4")
class SearchContract(Contract):
    """Questions and answers."""

    async def test_what_a_question_finds(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        for content in SAID:
            await world.send(ann, room_id, content)
        for text, answers in QUESTIONS.items():
            if answers is None:
                with pytest.raises(Invalid) as refused:
                    await find(world, bob, text)
                assert refused.value.details["field"] == "text", text
                continue
            newest = [SAID[n] for n in sorted(answers, reverse=True)]
            assert await find(world, bob, text) == newest, text
            assert sorted(await find(world, bob, text, order=Order.RANK)) == sorted(newest), text

    async def test_pages_go_on_where_they_ended_in_either_order(self, world: World) -> None:
        ann, bob = await world.persons(2)
        rooms = [await world.room(ann, bob) for _ in range(3)]
        for n in range(17):
            await world.send(ann, rooms[n % 3], f"tea {'tea ' * (n % 4)}number {n}")
        await index(world)
        reader = world.reader(bob)
        for order in Order:
            whole = await ask(reader, "tea", order=order)
            assert len(whole) == 17
            for limit in (1, 4, 16, 17, 18):
                assert await ask(reader, "tea", order=order, limit=limit) == whole
        assert [hit.message.content[-2:].strip() for hit in await ask(reader, "tea")] == [
            str(n) for n in range(16, -1, -1)
        ]

    async def test_what_comes_meanwhile_neither_repeats_nor_hides_anything(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        sent = [await world.send(ann, room_id, f"tea {n}") for n in range(6)]
        await index(world)
        for order in Order:
            search = Search(text="tea -later", order=order)
            first = await world.reader(ann).search.find(search, limit=3)
            await world.send(ann, room_id, "tea tea tea later")
            await world.delete(ann, first.items[1].message)
            await index(world)
            rest = await world.reader(ann).search.find(search, cursor=first.next, limit=100)
            seen = [hit.message.id for hit in (*first.items, *rest.items)]
            assert len(seen) == len(set(seen))
            live = {m.id for m in sent} - {first.items[1].message.id}
            assert live <= set(seen)
            sent = [m for m in sent if m.id in live]

    async def test_ids_of_one_moment_in_several_rooms_are_all_paged_through(self, world: World) -> None:
        """Two rooms may have a message of the same id: imports make ids from their sources."""
        ann = await world.person()
        rooms = [await world.room(ann) for _ in range(3)]
        twin = world.harness.ids()
        for room_id in rooms:
            world.harness.ids.plant(twin)
            await world.send(ann, room_id, "twin")
        await index(world)
        for order in Order:
            for limit in (1, 2):
                found = await ask(world.reader(ann), "twin", order=order, limit=limit)
                assert [hit.message.room_id for hit in found] == sorted(rooms, reverse=True)
                assert {hit.message.id for hit in found} == {twin}

    async def test_a_hit_is_the_message_with_the_part_that_matches(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        long = "lorem ipsum " * 30 + "the NEEDLE, 東京都 " + "dolor sit " * 30
        sent = await world.send(ann, room_id, long, metadata={"mood": "good"})
        await index(world)
        for text, marked in (("needle", "NEEDLE"), ("京都", "京都"), ('"the needle"', "the NEEDLE")):
            (hit,) = await ask(world.reader(ann), text)
            assert hit.message == sent
            assert hit.snippet.text in long
            assert long[hit.snippet.start :].startswith(hit.snippet.text)
            assert [hit.snippet.text[start:end] for start, end in hit.snippet.matches] == [marked]

    # ── filters ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def test_filters_narrow(self, world: World) -> None:
        ann, bob = await world.persons(2)
        one, two = await world.room(ann, bob), await world.room(ann, bob)
        root = await world.send(ann, one, "tea root")
        await world.send(bob, one, "tea answer", thread_id=root.id)
        await world.send(bob, two, "tea elsewhere")
        await world.send(ann, two, "tea picture", message_type="image")
        await world.send(world.system, two, "tea notice", message_type="system")
        await world.send(world.system, two, "tea by itself", message_type="robot")
        cases: list[tuple[dict[str, Any], list[str]]] = [
            ({}, ["by itself", "picture", "elsewhere", "answer", "root"]),
            ({"rooms": (one,)}, ["answer", "root"]),
            ({"rooms": (one, two, NO_ROOM)}, ["by itself", "picture", "elsewhere", "answer", "root"]),
            ({"rooms": (NO_ROOM,)}, []),
            ({"authors": (user_of(bob),)}, ["elsewhere", "answer"]),
            ({"authors": (user_of(ann), NOBODY)}, ["picture", "root"]),
            ({"authors": (NOBODY,)}, []),
            ({"types": (MessageType.SYSTEM,)}, ["notice"]),
            ({"types": (MessageType.IMAGE, MessageType.ROBOT, MessageType.IMAGE)}, ["by itself", "picture"]),
            ({"types": tuple(MessageType)}, ["by itself", "notice", "picture", "elsewhere", "answer", "root"]),
            ({"threads": (root.id,)}, ["answer", "root"]),
            ({"threads": (NO_MESSAGE,)}, []),
            ({"threads": (root.id,), "authors": (user_of(bob),)}, ["answer"]),
            ({"rooms": (two,), "authors": (user_of(ann),), "types": (MessageType.TEXT,)}, []),
        ]
        for filters, answers in cases:
            for order in Order:
                found = await find(world, ann, "tea", order=order, limit=2, **filters)
                expected = [f"tea {answer}" for answer in answers]
                assert (found if order is Order.NEWEST else sorted(found)) == (
                    expected if order is Order.NEWEST else sorted(expected)
                ), filters

    async def test_times_are_told_by_ids(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        times = []
        for n in range(4):
            await world.send(ann, room_id, f"tea {n}")
            times.append(world.harness.clock())
        second = timedelta(seconds=1)
        for since, until, expected in (
            (times[1], None, "321"),
            (None, times[2], "10"),
            (times[1], times[3], "21"),
            (times[1] + second / 2, times[3] - second / 2, "2"),
            (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC), "3210"),
            (times[3] + second, None, ""),
            (None, datetime(1, 1, 2, tzinfo=UTC), ""),
        ):
            found = await find(world, ann, "tea", since=since, until=until)
            assert found == [f"tea {n}" for n in expected]

    # ── what is no search ─────────────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({"since": datetime(2026, 1, 1)}, "since"),  # noqa: DTZ001 - naive on purpose
            ({"since": START, "until": START}, "until"),
            ({"types": ("nonsense",)}, "types"),
            ({"order": "best"}, "order"),
            ({"rooms": ("nobody",)}, "rooms"),
            ({"rooms": (NO_ROOM,) * (FILTER_MAX + 1)}, "rooms"),
            ({"authors": (NOBODY,) * (FILTER_MAX + 1)}, "authors"),
        ],
    )
    async def test_what_is_no_search(self, world: World, fields: dict[str, Any], named: str) -> None:
        with pytest.raises(Invalid) as refused:
            await ask(world.reader(), "tea", **fields)
        assert str(refused.value.details["field"]).startswith(named)

    @pytest.mark.parametrize("limit", [bad for bad in BAD_LIMITS if bad != LIMIT_MAX] + [LIMIT_MAX + 1])
    async def test_a_bad_limit(self, world: World, limit: Any) -> None:
        with pytest.raises(Invalid) as refused:
            await world.reader().search.find(Search(text="tea"), limit=limit)
        assert refused.value.details["field"] == "limit"

    async def test_a_cursor_is_good_for_its_own_search_only(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        for _ in range(3):
            await world.send(ann, room_id, "tea and cake")
        await index(world)
        search = Search(text="tea")
        cursor = (await world.reader(ann).search.find(search, limit=1)).next
        assert cursor is not None
        others = [Search(text="cake"), Search(text="tea", order=Order.RANK), Search(text="tea", rooms=(room_id,))]
        bad = [(search, text) for text in (*NO_CURSORS, *damaged(cursor))] + [(other, cursor) for other in others]
        bad += [(search, sealed(search.listing, key)) for key in (b"", b"x" * 35, b"x" * 37)]
        for asked, text in bad:
            with pytest.raises(InvalidCursor):
                await world.reader(ann).search.find(asked, cursor=Cursor(text), limit=1)
        for key in (b"\x7f\xc0\0\0" + b"\xff" * 32, b"\0" * 36, b"\xff" * 36):  # in the right form, and nowhere
            await world.reader(ann).search.find(search, cursor=sealed(search.listing, key), limit=1)
