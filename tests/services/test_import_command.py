"""`chatcore import` and what `chatcore demo` is made of, on memory."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from app.container import Chat, open_app
from app.domain.actors import Actor
from app.domain.messaging import MessageNotFound
from app.domain.reading import Unread
from app.entrypoints.cli.demo import marks, people, proofs, scenes, support
from app.entrypoints.cli.demo.conversation import conversation
from app.entrypoints.cli.display import one_line
from app.entrypoints.cli.imports import app as imports_app
from app.services.imports.lines import LineFile
from app.services.imports.records import Report
from app.services.imports.zulip import ZulipJsonl
from app.services.messaging import MessagingService
from app.services.reading import ReadingService
from app.settings import Settings
from tests.services.exports import mattermost, slack

SYSTEM = Actor.system()
HOSTILE = "\x1b]0;owned\x07[bold]x[/bold]\u202e"


def line(number: int, **changes: Any) -> bytes:
    fields = {
        "id": number,
        "room": "kitchen",
        "room_id": 7,
        "thread": "bread",
        "author": "Ada",
        "ts": "2025-03-04T05:06:07Z",
        "text": "<p>hi</p>",
        **changes,
    }
    return json.dumps(fields).encode() + b"\n"


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHAT_ADAPTERS", "memory")
    monkeypatch.setenv("COLUMNS", "100")
    return CliRunner()


@pytest.mark.spec("3.13")
def test_the_command_tells_what_became_of_every_line(runner: CliRunner, tmp_path: Path) -> None:
    lines = [line(1), line(1), line(2, author="Bo"), b"{\n", line(3, text=""), line(4, room=HOSTILE)]
    (tmp_path / "x.jsonl").write_bytes(b"".join(lines))
    done = runner.invoke(imports_app, ["zulip-jsonl", "x.jsonl", "--refused", "refused.jsonl"])
    assert done.exit_code == 0, done.output
    told = [text.replace("│", " ").split() for text in done.stdout.splitlines()]
    for row in (["lines", "read", "6"], ["stored", "2"], ["already", "there", "1"], ["refused", "3"]):
        assert row in told
    assert "\x1b]0" not in done.output
    refused = [json.loads(text) for text in (tmp_path / "refused.jsonl").read_text().splitlines()]
    assert [refusal["line"] for refusal in refused] == [4, 5, 6]
    assert refused[1]["reason"] == "text: must not be empty"


def test_a_broken_file_is_reported_and_then_an_error(runner: CliRunner, tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(line(n, text=f"<p>{n * 7919}</p>") for n in range(1, 4000)))
    (tmp_path / "x.gz").write_bytes(whole[: len(whole) // 2])
    done = runner.invoke(imports_app, ["zulip-jsonl", "x.gz"])
    assert getattr(done.exception, "code", None) == "import_source_broken"
    assert "lines read" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--tenant", "nobody"], "tenant_not_found"), (["--source", "a b"], "invalid")],
)
def test_what_names_nothing_is_an_error_with_a_code(
    runner: CliRunner, tmp_path: Path, arguments: list[str], code: str
) -> None:
    (tmp_path / "x").write_bytes(line(1))
    done = runner.invoke(imports_app, ["zulip-jsonl", "x", *arguments])
    assert getattr(done.exception, "code", None) == code


def test_settings_that_cannot_be_used_are_told_in_one_line(
    runner: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_bytes(line(1))
    monkeypatch.setenv("CHAT_POOL_SIZE", "many")
    done = runner.invoke(imports_app, ["zulip-jsonl", "x"])
    assert getattr(done.exception, "code", None) == "settings"
    assert "\n" not in str(done.exception)


@given(st.text(st.characters(), max_size=80), st.integers(2, 40))
@example(HOSTILE, 40)
@example("a" * 100, 10)
def test_a_line_for_the_terminal_has_nothing_that_moves_a_cursor(text: str, width: int) -> None:
    shown = one_line(text, width)
    assert len(shown) <= width
    assert all(c.isprintable() for c in shown)
    assert "\n" not in shown


@pytest.mark.spec("3.13")
def test_a_slack_export(runner: CliRunner, tmp_path: Path) -> None:
    slack.written(tmp_path / "export.zip", slack.FILES)
    done = runner.invoke(imports_app, ["slack", "export.zip", "--refused", "refused.jsonl"])
    assert done.exit_code == 0, done.output
    told = [text.replace("│", " ").split() for text in done.stdout.splitlines()]
    for row in (["stored", "21"], ["refused", "4"], ["a_kind_of_the_future", "0", "1", "0"]):
        assert row in told, done.stdout
    refused = [json.loads(text) for text in (tmp_path / "refused.jsonl").read_text().splitlines()]
    assert [refusal["where"] for refusal in refused] == ["nowhere/2024-01-01.json", *["general/2024-01-01.json"] * 3]


@pytest.mark.spec("3.13")
def test_a_mattermost_export(runner: CliRunner, tmp_path: Path) -> None:
    mattermost.written(tmp_path / "export.zip", plan__pdf=b"%PDF")
    done = runner.invoke(imports_app, ["mattermost", "export.zip"])
    assert done.exit_code == 0, done.output
    told = [text.replace("│", " ").split() for text in done.stdout.splitlines()]
    for row in (["stored", "10"], ["refused", "4"], ["custom_poll", "0", "1", "0"]):
        assert row in told, done.stdout


@pytest.mark.spec("3.13")
@pytest.mark.parametrize("format_", ["slack", "mattermost"])
def test_an_archive_made_to_do_harm_is_one_line(tmp_path: Path, format_: str) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as out:
        out.writestr("channels.json", b"[]")
        out.writestr("../\x1b[2Jup.json", b"[]")
    command = [sys.executable, "-c", "from app.entrypoints.cli import main; main()", "import", format_, "export.zip"]
    environment = {**os.environ, "CHAT_ADAPTERS": "memory", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (told,) = done.stderr.splitlines()
    assert told.startswith("error: ")
    assert told.isprintable()
    assert told.endswith("[import_archive_refused]")


# ── the demo ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def generated(chat: Chat, seed: int = 1) -> Report:
    with LineFile.of(conversation(seed)) as file:
        return await chat.imports.run(SYSTEM, ZulipJsonl(file, "demo"))


@given(st.integers(0, 2**32))
def test_the_generated_conversation_is_the_same_every_time_and_reads_like_one(seed: int) -> None:
    assert conversation(seed) == conversation(seed)
    with LineFile.of(conversation(seed)) as file:
        batches = list(ZulipJsonl(file, "demo").batches(1000, datetime(2025, 12, 31, tzinfo=UTC)))
    records = [record for batch in batches for record in batch.records]
    assert not any(batch.refusals for batch in batches)
    assert len(records) > 150
    assert len({record.room.key for record in records}) >= 6
    assert len({record.author.key for record in records}) >= 12
    assert sum(record.reply_to_key is not None for record in records) > 30
    keys = {record.key for record in records}
    assert all(record.reply_to_key in keys | {None} for record in records)
    assert all(record.thread_key in keys | {None} for record in records)
    assert not any("{" in record.content for record in records), "a word was not filled in"


async def test_what_the_demo_shows_is_shown_and_what_it_claims_holds() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    async with open_app(Settings(adapters="memory")) as chat:
        report = await generated(chat)
        world = await people.looked_up(chat, SYSTEM)
        await scenes.rooms(console, chat, world)
        await scenes.history(console, chat, world)
        assert await scenes.live(console, chat, world)
        await scenes.reading(console, chat, world)
        await marks.marks(console, chat, world)
        visible, searches = await marks.search(console, chat, world)
        assert visible.holds
        assert searches.count == 1
        assert await support.conversation(console, chat, SYSTEM)
        assert (await proofs.sending(chat, world, 3)).count == 3
        world = await people.looked_up(chat, SYSTEM)
        gaps, pages = await proofs.gap_free(chat, SYSTEM, world)
        assert gaps.holds
        assert pages.count == len(world.rooms)
        assert all(proof.holds for proof in await proofs.unread_equals_recount(chat, world, console))
        assert proofs.nothing_added(report, await generated(chat)).holds
        assert proofs.accounted_for(report).holds
    shown = console.export_text()
    assert max(len(text) for text in shown.splitlines()) <= 100
    for phrase in (
        "general",
        "members",
        "unread",
        "repeated",
        "yes, nothing written",
        "before",
        "↳",
        "reactions",
        "pinned",
        "Found for",
        "manager",
    ):
        assert phrase in shown


async def test_the_proofs_see_what_they_are_there_to_see(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_app(Settings(adapters="memory")) as chat:
        report = await generated(chat)
        world = await people.looked_up(chat, SYSTEM)
        console = Console(width=100, file=io.StringIO())
        assert not proofs.nothing_added(report, report).holds
        assert not proofs.accounted_for(Report(lines=5, stored=3, refused=1)).holds
        real_recount, real_history = ReadingService.recount, MessagingService.history

        async def one_more(self: ReadingService, actor: Actor) -> tuple[Unread, ...]:
            return tuple(Unread(u.room_id, u.count + 1, u.mentions) for u in await real_recount(self, actor))

        async def one_call_more(self: ReadingService, actor: Actor) -> tuple[Unread, ...]:
            return tuple(Unread(u.room_id, u.count, u.mentions + 1) for u in await real_recount(self, actor))

        async def nothing_there(self: MessagingService, *args: Any, **kwargs: Any) -> Any:
            raise MessageNotFound(message_id="any")

        async def a_message_short(self: MessagingService, *args: Any, **kwargs: Any) -> Any:
            page = await real_history(self, *args, **kwargs)
            return type(page)(page.items[:3] + page.items[4:], page.older, page.newer)

        monkeypatch.setattr(ReadingService, "recount", one_more)
        unread, mentions = await proofs.unread_equals_recount(chat, world, console)
        assert (unread.holds, mentions.holds) == (False, True)
        monkeypatch.setattr(ReadingService, "recount", one_call_more)
        unread, mentions = await proofs.unread_equals_recount(chat, world, console)
        assert (unread.holds, mentions.holds) == (True, False)
        with monkeypatch.context() as hidden:
            hidden.setattr(MessagingService, "get", nothing_there)
            assert not (await marks.search(console, chat, world))[0].holds
        monkeypatch.setattr(MessagingService, "history", a_message_short)
        assert not (await proofs.gap_free(chat, SYSTEM, world))[0].holds
