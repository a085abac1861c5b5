"""A Mattermost export, taken in: order, answers, marks, and that the report adds up (SPEC 3.13)."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from app.domain.identity import AccountStatus, AccountType
from app.domain.mentions import Mentioned
from app.domain.messaging import Message, MessageType
from app.domain.rooms import Room, RoomStatus, RoomType
from app.domain.rooms.members import Role
from app.services.imports.archive import Archive
from app.services.imports.mattermost.export import MattermostExport
from app.services.imports.mattermost.sorting import ByTime
from app.services.imports.records import KindCount, Report, SourceBroken
from tests.services.exports import mattermost
from tests.services.test_import_storing import SYSTEM, App

pytestmark = pytest.mark.spec("3.13")


@pytest.fixture
def chat() -> App:
    return App()


async def take_in(chat: App, path: Path, batch_lines: int = 1000) -> Report:
    with Archive(path) as archive, archive.lines(MattermostExport.entry_of(archive)) as file:
        source = MattermostExport(file, "main", archive=archive)
        return await chat.imports.run(SYSTEM, source, batch_lines=batch_lines)


async def room_of(chat: App, own: str) -> Room:
    room = await chat.store.reader(SYSTEM).rooms.find_by_external_id(f"mattermost:main:{own}")
    assert room is not None
    return room


async def history_of(chat: App, room: Room) -> list[Message]:
    return list((await chat.messages.history(SYSTEM, room.id, limit=200, include_deleted=True)).items)


async def test_posts_come_in_the_order_of_time_and_answers_know_what_they_answer(chat: App, tmp_path: Path) -> None:
    report = await take_in(chat, mattermost.written(tmp_path / "e.zip", plan__pdf=b"%PDF"))
    town = await room_of(chat, "core/town")
    messages = await history_of(chat, town)
    assert [message.content for message in messages] == [
        *("joined", "first", "answer one", "second", "second again", "answer two"),
        *("third, @ben and @nobody, @all", "(file: plan.pdf)", "odd"),
    ]
    found = {message.content: message for message in messages}
    assert found["answer one"].thread_id == found["answer two"].thread_id == found["first"].id
    assert found["answer one"].is_edited
    assert found["joined"].message_type is found["odd"].message_type is MessageType.SYSTEM
    plan = found["(file: plan.pdf)"]
    assert plan.message_type is MessageType.TEXT
    told = {"mime_type": "application/pdf", "name": "plan.pdf", "path": "files/plan.pdf", "size": 4}
    assert plan.metadata["source"]["other"]["attachments"] == (told,)
    assert found["odd"].metadata["source"]["other"]["props"] == {"votes": 3}
    by_kind = sum(count.mapped + count.raw + count.refused for count in report.kinds.values())
    assert report.lines == by_kind == report.stored + report.described + report.refused
    assert (report.stored, report.raw, report.refused) == (10, 1, 4)
    assert report.kinds["custom_poll"] == KindCount(raw=1)


async def test_what_hangs_on_a_post_is_there_and_a_second_import_adds_none(chat: App, tmp_path: Path) -> None:
    reader = chat.store.reader(SYSTEM)
    for _ in range(2):
        await take_in(chat, mattermost.written(tmp_path / "e.zip"))
        town = await room_of(chat, "core/town")
        by_name = {
            s.user.username: s.user.id for s in (await chat.members.find_by_room(SYSTEM, town.id, limit=9)).items
        }
        messages = await history_of(chat, town)
        ids = [message.id for message in messages]
        third = next(message for message in messages if message.content.startswith("third"))
        (counts,) = await reader.reactions.find_by_messages(town.id, ids)
        assert counts.message_id == third.id
        assert [(e.emoji, e.first_users) for e in counts.emoji] == [("tada", (by_name["ben"],))]
        given = await reader.reactions.find_by_emoji(town.id, third.id, "tada", limit=5)
        assert [reaction.created_at.timestamp() * 1000 for reaction in given.items] == [mattermost.BEGIN + 3100]
        (pinned,) = (await reader.pins.find_by_room(town.id, limit=5)).items
        assert (pinned.message.id, pinned.pin.pinned_by) == (third.id, by_name["ann"])
        assert pinned.pin.created_at == third.created_at
        assert await reader.mentions.find_by_messages(town.id, ids) == (
            Mentioned(third.id, (by_name["ben"],), all=True),
        )


async def test_people_rooms_and_read_marks(chat: App, tmp_path: Path) -> None:
    await take_in(chat, mattermost.written(tmp_path / "e.zip"))
    town, dark = await room_of(chat, "core/town"), await room_of(chat, "core/dark")
    assert (town.name, town.description) == ("Town", "All of us")
    assert (dark.is_private, dark.status) == (True, RoomStatus.ARCHIVED)
    seats = (await chat.members.find_by_room(SYSTEM, town.id, limit=50)).items
    by_name = {seat.user.username: seat for seat in seats}
    assert by_name["ann"].membership.role is Role.ADMIN
    assert by_name["cy"].user.account_status is AccountStatus.DEACTIVATED
    assert by_name["cy"].user.account_type is AccountType.GUEST
    assert by_name["helper"].user.account_type is AccountType.ROBOT
    assert all(seat.user.email is None for seat in seats)
    # Ben wrote after what he had viewed: his own last message tells more.
    assert by_name["ben"].membership.last_read_position == 9


async def test_a_read_mark_follows_the_time_of_the_last_look(chat: App, tmp_path: Path) -> None:
    lines = [line for line in mattermost.LINES if not (isinstance(line, dict) and "ben" in str(line.get("post", "")))]
    await take_in(chat, mattermost.written(tmp_path / "e.zip", lines))
    town = await room_of(chat, "core/town")
    seats = (await chat.members.find_by_room(SYSTEM, town.id, limit=50)).items
    ben = next(seat.membership for seat in seats if seat.user.username == "ben")
    messages = await history_of(chat, town)
    assert messages[ben.last_read_position].created_at.timestamp() * 1000 > mattermost.BEGIN + 1500
    assert messages[ben.last_read_position - 1].created_at.timestamp() * 1000 <= mattermost.BEGIN + 1500


async def test_direct_channels(chat: App, tmp_path: Path) -> None:
    await take_in(chat, mattermost.written(tmp_path / "e.zip"))
    ann = await chat.store.reader(SYSTEM).users.find_by_external_id("mattermost:main:user:ann")
    assert ann is not None
    rooms = await chat.rooms.my_rooms(type(SYSTEM)(user_id=ann.id))
    kinds = {summary.room.name: summary.room.room_type for summary in rooms}
    assert kinds == {"Town": RoomType.GROUP, None: RoomType.DIRECT, "Ann, Ben Nevis, cy": RoomType.GROUP}


@pytest.mark.parametrize("batch_lines", [1, 4, 1000])
async def test_a_second_import_adds_nothing_and_an_edit_is_one(chat: App, tmp_path: Path, batch_lines: int) -> None:
    await take_in(chat, mattermost.written(tmp_path / "e.zip"), batch_lines)
    again = await take_in(chat, mattermost.written(tmp_path / "e.zip"), batch_lines)
    assert (again.stored, again.updated, again.rooms_created, again.accounts_created) == (0, 0, 0, 0)
    later: list[Any] = copy.deepcopy(mattermost.LINES)
    later[12]["post"].update(message="second, edited", edit_at=mattermost.BEGIN + 9999)
    report = await take_in(chat, mattermost.written(tmp_path / "later.zip", later), batch_lines)
    assert (report.stored, report.updated) == (0, 1)
    contents = [message.content for message in await history_of(chat, await room_of(chat, "core/town"))]
    assert "second, edited" in contents
    assert "second" not in contents


@pytest.mark.parametrize("first", [{"type": "version", "version": 2}, {"type": "team", "team": {}}])
async def test_another_version_is_refused(chat: App, tmp_path: Path, first: dict[str, Any]) -> None:
    with pytest.raises(SourceBroken, match="version 1"):
        await take_in(chat, mattermost.written(tmp_path / "e.zip", [first]))


async def test_an_archive_without_lines_is_no_export(chat: App, tmp_path: Path) -> None:
    path = mattermost.written(tmp_path / "e.zip")
    path.write_bytes(path.read_bytes().replace(b"import.jsonl", b"import.jsonx"))
    with pytest.raises(SourceBroken, match="no Mattermost export"):
        await take_in(chat, path)


def test_sorting_keeps_the_order_of_ties() -> None:
    with ByTime() as kept:
        for room, at, text in [(1, 5, "c"), (0, 9, "b"), (1, 5, "d"), (0, 1, "a"), (1, 4, "\ud83d")]:
            kept.put(room, at, {"text": text})
        assert [(room, told["text"]) for room, told in kept] == [
            *((0, "a"), (0, "b"), (1, "\ud83d"), (1, "c"), (1, "d")),
        ]
