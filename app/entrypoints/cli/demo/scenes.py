"""What the demo shows of a conversation: rooms, history, a thread, a send that was repeated, and reading."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.container import Chat
from app.domain.ids import RoomId, ulid
from app.domain.messaging import ClientKeyReused, Draft, Message, Sent
from app.domain.pages import MAX_LIMIT
from app.entrypoints.cli.demo.people import World, plain, shared_room
from app.entrypoints.cli.display import cell, one_line, titled

_ROOMS_SHOWN = 12
_MESSAGES_SHOWN = 8
_NAME = 20
_LONG = 200
"""Characters of a message that are prepared for a line; the terminal shows as many as it has room for."""
_TIME = "%Y-%m-%d %H:%M"


async def rooms(console: Console, chat: Chat, world: World) -> None:
    """Rooms with members and messages, and what one person has left to read there."""
    name = world.name(world.first.id)
    summaries = {summary.room.id: summary for summary in await chat.rooms.my_rooms(world.actor(world.first))}
    table = titled(f"Rooms, as {name} sees them", "room", ">members", ">messages", ">unread", "<>newest message")
    for room in world.rooms[:_ROOMS_SHOWN]:
        summary = summaries.get(room.id)
        newest = summary.last_message if summary else None
        table.add_row(
            cell(room.name or "", 24),
            f"{world.members[room.id]:,}",
            f"{room.last_position:,}",
            f"{summary.unread:,}" if summary else "-",
            cell(f"{world.name(newest.user_id)}: {plain(newest)}", _LONG, "dim") if newest else "",
        )
    console.print(table)
    if len(world.rooms) > _ROOMS_SHOWN:
        console.print(f"  and {len(world.rooms) - _ROOMS_SHOWN} more", style="dim")


async def history(console: Console, chat: Chat, world: World) -> None:
    """The newest messages of a room, and a thread that one of them belongs to."""
    room = await shared_room(chat, world)
    actor = world.actor(world.first)
    page = await chat.messages.history(actor, room.id, limit=MAX_LIMIT)
    shown = page.items[-_MESSAGES_SHOWN:]
    console.print(_messages(world, f"{room.name}: the newest messages", shown))
    # One that is not shown already, with many answers.
    threads = Counter(message.thread_id for message in page.items[:-_MESSAGES_SHOWN] if message.thread_id)
    for thread_id, _ in threads.most_common(1):
        thread = await chat.messages.thread(actor, room.id, thread_id, limit=_MESSAGES_SHOWN)
        topic = thread.root.metadata.get("topic", "a thread")
        more = "" if thread.replies.newer is None else ", how it began"
        told = (thread.root, *thread.replies.items)
        console.print()
        console.print(_messages(world, f"{room.name} > {topic}{more}", told, root=thread.root))
    console.print()


async def live(console: Console, chat: Chat, world: World) -> bool:
    """Sends and answers of now; one of them sent twice with the same key. True when the repeat changed nothing."""
    room = await shared_room(chat, world)
    first, second = world.actor(world.first), world.actor(world.second)
    before = (await chat.rooms.get(first, room.id)).last_position
    asked = Draft(content="Is anybody else reading this?", client_key="demo:question")
    question = await chat.messages.send(first, room.id, asked)
    answer = Draft(content="I am!", thread_id=question.message.id, client_key="demo:answer")
    answered = await chat.messages.reply(second, room.id, question.message.id, answer)
    again = await chat.messages.send(first, room.id, asked)
    thanks = Draft(content="Good. The answer to a lost answer is to ask again.", thread_id=question.message.id)
    thanked = await chat.messages.send(first, room.id, thanks)
    table = titled(f"{room.name}: sends, one of them repeated with its key", "what", "id", ">position", "repeated")
    for what, sent in (
        (f"{world.name(first.user_id)} asks", question),
        (f"{world.name(second.user_id)} answers", answered),
        (f"{world.name(first.user_id)} repeats", again),
        (f"{world.name(first.user_id)} goes on", thanked),
    ):
        table.add_row(cell(what, _NAME + 10), ulid(sent.message.id), f"{sent.message.position:,}", _yes(sent))
    console.print(table)
    refused = False
    try:
        await chat.messages.send(first, room.id, Draft(content="Something else", client_key="demo:question"))
    except ClientKeyReused as error:
        refused = True
        console.print(cell(f"the key with another body: refused as {error.code}", style="dim"))
    after = (await chat.rooms.get(first, room.id)).last_position
    same = (again.message.id, again.message.position) == (question.message.id, question.message.position)
    return same and again.repeated and refused and after == before + 3


async def reading(console: Console, chat: Chat, world: World) -> None:
    """What two members have left to read, before and after they read."""
    first, second = world.actor(world.first), world.actor(world.second)
    before = [{u.room_id: u.count for u in await chat.reading.unread(actor)} for actor in (first, second)]
    shared = [room for room in world.rooms if all(room.id in counts for counts in before)][:5]
    halfway = await _in_the_middle(chat, world, shared[0].id)
    await chat.reading.mark_read(first, shared[0].id, halfway.id)
    await chat.reading.mark_all_read(second)
    after = [{u.room_id: u.count for u in await chat.reading.unread(actor)} for actor in (first, second)]
    names = [one_line(world.name(actor.user_id), 14) for actor in (first, second)]
    table = titled(
        "Unread, before and after", "room", *(f">{name} {when}" for name in names for when in ("before", "after"))
    )
    for room in shared:
        counts = (one[room.id] for pair in zip(before, after, strict=True) for one in pair)
        table.add_row(cell(room.name or "", 24), *(f"{count:,}" for count in counts))
    table.add_section()
    sums = (sum(one.values()) for pair in zip(before, after, strict=True) for one in pair)
    table.add_row("all rooms", *(f"{count:,}" for count in sums), style="bold")
    console.print(table)
    text = f"{names[0]} read {shared[0].name} up to position {halfway.position:,}; {names[1]} read everything"
    console.print(cell(text, style="dim"))


async def _in_the_middle(chat: Chat, world: World, room_id: RoomId) -> Message:
    """Half-way into what the first person has not read, among the newest messages; the newest if they have read all."""
    actor = world.actor(world.first)
    unread = {u.room_id: u.count for u in await chat.reading.unread(actor)}[room_id]
    page = await chat.messages.history(actor, room_id, limit=max(1, min(100, unread // 2 + 1)))
    return page.items[0]


def _messages(world: World, title: str, messages: tuple[Message, ...], root: Message | None = None) -> Table:
    table = titled(title, ">#", "time", "who", "<>what")
    places = {message.id: message for message in messages}
    for message in messages:
        said = plain(message)
        if message.reply_to_message_id in places:
            said = f"↳ {world.name(places[message.reply_to_message_id].user_id)}: {said}"
        indent = "  " if root is not None and message.id != root.id else ""
        who = cell(world.name(message.user_id), _NAME)
        table.add_row(
            f"{message.position:,}", f"{message.created_at:{_TIME}}", who, Text(indent).append(cell(said, _LONG))
        )
    return table


def _yes(sent: Sent) -> str:
    return "yes, nothing written" if sent.repeated else ""
