"""A Slack export, taken in: what becomes of everything in it, and that the report adds up (SPEC 3.13)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import Invalid
from app.domain.files import FILES_PER_MESSAGE
from app.domain.identity import AccountStatus, AccountType, User
from app.domain.mentions import Mentioned
from app.domain.messaging import Message, MessageType
from app.domain.rooms import Room, RoomStatus, RoomType
from app.domain.rooms.members import Role
from app.services.imports.archive import Archive
from app.services.imports.records import KindCount, Report, SourceBroken
from app.services.imports.slack import mrkdwn
from app.services.imports.slack.export import SlackExport
from tests.services.exports import slack
from tests.services.test_import_storing import SYSTEM, App

pytestmark = pytest.mark.spec("3.13")
HELLO = "Hello <@U2> &amp; <!here>, see <https://example.org/a|this page> in <#C2|old>"


@pytest.fixture
def chat() -> App:
    return App()


async def take_in(chat: App, path: Path, batch_lines: int = 1000, *, with_emails: bool = False) -> Report:
    with Archive(path) as archive:
        source = SlackExport(archive, "main", with_emails=with_emails)
        return await chat.imports.run(SYSTEM, source, batch_lines=batch_lines)


async def room_of(chat: App, own: str) -> Room:
    room = await chat.store.reader(SYSTEM).rooms.find_by_external_id(f"slack:main:{own}")
    assert room is not None
    return room


async def history_of(chat: App, own: str) -> list[Message]:
    room = await room_of(chat, own)
    page = await chat.messages.history(SYSTEM, room.id, limit=200, include_deleted=True)
    return list(page.items)


async def user_of(chat: App, own: str) -> User:
    user = await chat.store.reader(SYSTEM).users.find_by_external_id(f"slack:main:{own}")
    assert user is not None
    return user


async def hung_on(chat: App, own: str) -> tuple[Any, Any, Any, Any]:
    """Reactions, pins, mentions and files of a room."""
    room, reader = await room_of(chat, own), chat.store.reader(SYSTEM)
    ids = tuple(message.id for message in await history_of(chat, own))
    return (
        await reader.reactions.find_by_messages(room.id, ids),
        (await reader.pins.find_by_room(room.id, limit=50)).items,
        await reader.mentions.find_by_messages(room.id, ids),
        await reader.files.find_by_messages(room.id, ids),
    )


def said(messages: list[Message]) -> dict[str, Message]:
    return {message.content: message for message in messages}


def sums_up(report: Report) -> bool:
    by_kind = sum(count.mapped + count.raw + count.refused for count in report.kinds.values())
    whole = report.stored + report.updated + report.repeated + report.described + report.refused
    return report.lines == whole == by_kind


async def test_the_report_adds_up(chat: App, tmp_path: Path) -> None:
    report = await take_in(chat, slack.written(tmp_path / "export.zip", slack.FILES))
    assert sums_up(report)
    read = sum(len(part) for name, part in slack.FILES.items() if name != "integration_logs.json")
    assert report.lines == read
    assert (report.stored, report.updated, report.repeated, report.raw, report.refused) == (21, 2, 0, 1, 4)
    assert report.described == len(slack.USERS) + 5 + 1
    assert report.kinds["a_kind_of_the_future"] == KindCount(raw=1)
    assert report.kinds["channel_join"] == KindCount(mapped=1)
    assert [(r.where, r.reason) for r in report.first_refusals] == [
        ("nowhere/2024-01-01.json", "its folder is no conversation of the export"),
        ("general/2024-01-01.json", "ts: must be seconds and six digits"),
        ("general/2024-01-01.json", "text: must not contain the NUL character"),
        ("general/2024-01-01.json", "text: must not contain a lone surrogate"),
    ]


async def test_messages_keep_their_text_their_time_and_their_place(chat: App, tmp_path: Path) -> None:
    await take_in(chat, slack.written(tmp_path / "export.zip", slack.FILES))
    messages = await history_of(chat, "C1")
    assert [message.position for message in messages] == list(range(1, len(messages) + 1))
    assert [message.created_at for message in messages] == sorted(message.created_at for message in messages)
    found = said(messages)
    hello = found["Hello <@U2> &amp; <!here>, see <https://example.org/a|this page> in <#C2|old>"]
    assert hello.created_at == datetime(2024, 1, 1, 10, 0, 10, tzinfo=UTC)
    assert hello.metadata["plain"] == "Hello @Ben & @here, see this page in #old"
    assert hello.metadata["format"] == "slack-mrkdwn"
    assert hello.metadata["source"]["ts"] == slack.ts(10)
    assert found["in the same second"].created_at.microsecond == 1
    assert found["an answer"].thread_id == hello.id
    assert found["also in the channel"].thread_id == hello.id
    assert found["an answer to what is not here"].thread_id is None
    gone = next(m for m in messages if m.created_at == datetime(2024, 1, 1, 10, 1, 40, tzinfo=UTC))
    assert (gone.content, gone.deleted_at is None) == ("", False)
    assert found["an answer to what is gone"].thread_id == gone.id
    edited = found["edited once"]
    assert (edited.is_edited, edited.edited_at) == (True, datetime(2024, 1, 1, 10, 0, 45, tzinfo=UTC))
    future = found["something new"]
    assert future.message_type is MessageType.SYSTEM
    assert future.metadata["source"]["other"]["payload"]["x"] == (1, 2)
    assert found["<@U1> has joined the channel"].message_type is MessageType.SYSTEM
    assert found["build 8 failed"].message_type is MessageType.TEXT


async def test_what_hangs_on_a_message_is_there_and_a_second_import_adds_none(chat: App, tmp_path: Path) -> None:
    path = slack.written(tmp_path / "export.zip", slack.FILES)
    await take_in(chat, path)
    before = await hung_on(chat, "C1")
    ann, ben, cy = [(await user_of(chat, own)).id for own in ("U1", "U2", "U3")]
    found = said(await history_of(chat, "C1"))
    hello, picture = found[HELLO], found["a picture"]
    (plan,) = [m for m in await history_of(chat, "C1") if m.message_type is MessageType.FILE]
    counts, pins, mentions, files = before
    assert [(c.message_id, [(e.emoji, e.first_users) for e in c.emoji]) for c in counts] == [
        (hello.id, [("tada", (ben, cy)), ("clap::skin-tone-3", (ben,))])
    ]
    # Five gave it and one is named: the rest stands as it was given.
    assert hello.metadata["source"]["other"]["reactions"][1]["count"] == 5
    pinned_at = datetime.fromtimestamp(slack.BEGIN + 500, UTC)
    assert [(p.message.id, p.pin.pinned_by, p.pin.created_at) for p in pins] == [(hello.id, ben, pinned_at)]
    assert Mentioned(hello.id, (ben,), here=()) in mentions
    assert [(f.message_id, f.owner_id, f.name, f.mime_type, f.size, f.url) for f in files] == [
        (plan.id, ben, "plan.pdf", "application/pdf", 12345, "https://files.example.org/F1/plan.pdf")
    ]
    assert (plan.content, picture.message_type) == ("", MessageType.TEXT)
    assert picture.metadata["source"]["other"]["files"] == ({"mime_type": "image/png", "name": "cat.png", "size": 10},)
    (alone,) = await history_of(chat, "G1")
    assert (await hung_on(chat, "G1"))[2] == (Mentioned(alone.id, all=True),)
    assert ann not in {user for m in mentions for user in m.users}  # a notice of the system calls nobody
    await take_in(chat, path)
    assert await hung_on(chat, "C1") == before


async def test_a_later_export_adds_reactions_and_pins_and_takes_none_away(chat: App, tmp_path: Path) -> None:
    await take_in(chat, slack.written(tmp_path / "export.zip", slack.FILES))
    later = slack.files()
    later["channels.json"][0]["pins"] = [{"id": slack.ts(20), "created": slack.BEGIN + 900}]
    later["general/2024-01-01.json"][1]["reactions"] = [{"name": "eyes", "users": ["U1"], "count": 1}]
    report = await take_in(chat, slack.written(tmp_path / "later.zip", later))
    assert report.stored == 0
    counts, pins, _, _ = await hung_on(chat, "C1")
    assert [e.emoji for e in counts[0].emoji] == ["tada", "clap::skin-tone-3", "eyes"]
    assert [(p.message.content, p.pin.pinned_by is None) for p in pins] == [("an answer", True), (HELLO, False)]


async def test_hostile_things_on_a_message_do_not_refuse_it(chat: App, tmp_path: Path) -> None:
    files = [
        {"id": "F1", "name": "a\x00b/../c", "mimetype": "no type", "size": -1, "url_private": "https://e.example/1"},
        {"id": "F2", "name": "\u202egpj.exe", "mimetype": 7, "size": 2**80, "url_private": "javascript:x"},
        {"id": "F3", "name": "fine.txt", "mimetype": "no type", "size": "x", "url_private": "https://e.example/3"},
        *(
            {"id": f"N{n}", "name": f"{n}.txt", "url_private": f"https://e.example/n{n}"}
            for n in range(FILES_PER_MESSAGE)
        ),
    ]
    given = [{"name": name, "users": ["U1", 7, None]} for name in ("a b", "", "x" * 51, "\x00", 5, "fine")]
    day = [slack.message(1, "U1", "", files=files, reactions=[*given, "no object", {"name": "none", "users": 3}])]
    export = slack.files() | {"general/2024-01-01.json": day, "general/2024-01-02.json": []}
    report = await take_in(chat, slack.written(tmp_path / "e.zip", export))
    (message,) = await history_of(chat, "C1")
    assert report.kinds["message"] == KindCount(mapped=4, refused=1)
    counts, _, _, stored = await hung_on(chat, "C1")
    assert [[(e.emoji, e.count) for e in each.emoji] for each in counts] == [[("fine", 1)]]
    assert [file.name for file in stored[:2]] == ["fine.txt", "0.txt"]
    assert (stored[0].mime_type, stored[0].size, len(stored)) == ("application/octet-stream", 0, FILES_PER_MESSAGE)
    assert len(message.metadata["source"]["other"]["files"]) == 3
    assert message.message_type is MessageType.FILE


async def test_later_events_change_and_delete(chat: App, tmp_path: Path) -> None:
    await take_in(chat, slack.written(tmp_path / "export.zip", slack.FILES))
    messages = await history_of(chat, "C1")
    found = said(messages)
    assert "next day" not in found
    assert found["next day, corrected"].is_edited
    assert "to be deleted" not in found
    deleted = [message for message in messages if message.deleted_at is not None]
    assert len(deleted) == 2


async def test_no_token_is_kept_anywhere(chat: App, tmp_path: Path) -> None:
    await take_in(chat, slack.written(tmp_path / "export.zip", slack.FILES))
    for own in ("C1", "G1", "G2", "D1"):
        for message in await history_of(chat, own):
            assert "xoxe" not in message.metadata.text


async def test_people_become_accounts_nobody_can_log_in_to(chat: App, tmp_path: Path) -> None:
    await take_in(chat, slack.written(tmp_path / "export.zip", slack.FILES))
    ann, cy, guest, bot = [await user_of(chat, own) for own in ("U1", "U3", "U4", "U5")]
    assert (ann.username, ann.display_name, ann.email) == ("ann", "Ann", None)
    assert cy.account_status is AccountStatus.DEACTIVATED
    assert guest.account_type is AccountType.GUEST
    assert bot.account_type is AccountType.ROBOT
    stranger, ci = await user_of(chat, "U9"), await user_of(chat, "bot:B1")
    assert stranger.display_name == "Stranger"
    assert (ci.display_name, ci.account_type) == ("ci", AccountType.ROBOT)
    with_address = App()
    await take_in(with_address, slack.written(tmp_path / "again.zip", slack.FILES), with_emails=True)
    assert (await user_of(with_address, "U1")).email == "ann@example.org"


async def test_conversations_become_rooms_with_who_sits_there(chat: App, tmp_path: Path) -> None:
    await take_in(chat, slack.written(tmp_path / "export.zip", slack.FILES))
    general, old, secret, three, two = [await room_of(chat, own) for own in ("C1", "C2", "G1", "G2", "D1")]
    assert (general.name, general.description, general.is_private) == ("general", "For everybody", False)
    assert general.created_at == datetime.fromtimestamp(slack.BEGIN - 1000, UTC)
    assert old.status is RoomStatus.ARCHIVED
    assert secret.is_private
    assert three.room_type is RoomType.GROUP
    assert (two.room_type, two.name) == (RoomType.DIRECT, None)
    seats = await chat.members.find_by_room(SYSTEM, general.id, limit=200)
    roles = {seat.user.display_name: seat.membership.role for seat in seats.items}
    assert roles["Ann"] is Role.OWNER
    assert roles["Gus"] is Role.MEMBER  # who never wrote sits there all the same
    gus = next(seat.membership for seat in seats.items if seat.user.display_name == "Gus")
    assert gus.last_read_position == general.last_position


@pytest.mark.parametrize("batch_lines", [1, 3, 1000])
async def test_a_second_import_adds_nothing(chat: App, tmp_path: Path, batch_lines: int) -> None:
    path = slack.written(tmp_path / "export.zip", slack.FILES)
    first = await take_in(chat, path, batch_lines)
    before = {own: await history_of(chat, own) for own in ("C1", "G1", "G2", "D1")}
    again = await take_in(chat, path, batch_lines)
    assert (again.stored, again.rooms_created, again.accounts_created) == (0, 0, 0)
    assert {own: [(m.id, m.content) for m in await history_of(chat, own)] for own in before} == {
        own: [(m.id, m.content) for m in messages] for own, messages in before.items()
    }
    assert first.lines == again.lines
    assert sums_up(again)


async def test_a_later_export_updates_and_adds(chat: App, tmp_path: Path) -> None:
    await take_in(chat, slack.written(tmp_path / "export.zip", slack.FILES))
    later = slack.files()
    day = later["general/2024-01-01.json"]
    day[3]["text"] = "said otherwise"
    day[3]["edited"] = {"user": "U3", "ts": f"{slack.BEGIN + 99_000}.000000"}
    later["general/2024-01-03.json"] = [slack.message(180_000, "U1", "newer")]
    later["channels.json"][0]["purpose"]["value"] = "For all"
    later["channels.json"][1]["is_archived"] = False
    later["users.json"][1]["deleted"] = True
    report = await take_in(chat, slack.written(tmp_path / "later.zip", later))
    assert report.stored == 1
    found = said(await history_of(chat, "C1"))
    assert found["said otherwise"].is_edited
    assert "newer" in found
    assert (await room_of(chat, "C1")).description == "For all"
    assert (await room_of(chat, "C2")).status is RoomStatus.ACTIVE
    assert (await user_of(chat, "U2")).account_status is AccountStatus.DEACTIVATED


async def test_a_day_that_is_no_json_is_one_refusal(chat: App, tmp_path: Path) -> None:
    broken = slack.files(general__2024_01_02=None) | {"general/2024-01-02.json": b"[{"}
    report = await take_in(chat, slack.written(tmp_path / "export.zip", broken))
    assert report.kinds["file"] == KindCount(refused=1)
    assert sums_up(report)


async def test_an_archive_without_channels_is_no_export(chat: App, tmp_path: Path) -> None:
    path = slack.written(tmp_path / "other.zip", {"readme.txt": b"hello"})
    with pytest.raises(SourceBroken, match="no Slack export"):
        await take_in(chat, path)


def test_the_name_of_a_source_is_limited(tmp_path: Path) -> None:
    path = slack.written(tmp_path / "export.zip", slack.FILES)
    with Archive(path) as archive, pytest.raises(Invalid, match="source"):
        SlackExport(archive, "a b")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<@U1>", "@Ann"),
        ("<@U7|gone>", "@gone"),
        ("<@U7>", "@U7"),
        ("<#C1>", "#general"),
        ("<!channel> <!everyone>", "@channel @everyone"),
        ("<!subteam^S1|@crew>", "@crew"),
        ("<!date^1392734382^{date}|February 18>", "February 18"),
        ("<https://a.example|label> <https://b.example>", "label https://b.example"),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("a < b and <unclosed", "a < b and <unclosed"),
    ],
)
def test_markup_as_plain_text(text: str, shown: str) -> None:
    assert mrkdwn.plain(text, {"U1": "Ann", "C1": "general"}.get) == shown
