"""What people do with messages besides answering them: reactions, mentions, pins, threads; and finding them again."""

from __future__ import annotations

import re
import time
from collections import Counter

from rich.console import Console

from app.container import Chat
from app.domain.actors import Actor
from app.domain.identity import AccountType, Registration
from app.domain.ids import RoomId
from app.domain.messaging import Draft, MessageNotFound
from app.domain.messaging.mentions import Mentions
from app.domain.pages import MAX_LIMIT
from app.domain.reading import Unread
from app.domain.rooms.members import NotAMember
from app.domain.search import Hit
from app.entrypoints.cli.demo.people import World, plain, shared_room
from app.entrypoints.cli.demo.proofs import Proof, Rate
from app.entrypoints.cli.display import cell, titled

_HITS_SHOWN = 5
_HITS_ASKED = 300
_LONG = 200
_BEFORE = 20
"""Characters shown before the word that was found."""
_WORD = re.compile(r"[^\W\d_]{6,}")


async def marks(console: Console, chat: Chat, world: World) -> None:
    """One message in the middle of it all: reacted to, mentioned around, pinned."""
    room = await shared_room(chat, world)
    first, second = world.actor(world.first), world.actor(world.second)
    before = await _unread(chat, second, room.id)
    asked = await chat.messages.send(
        first,
        room.id,
        Draft(content="Who brings the bread?", mentions=Mentions(users=(world.second.id,)), client_key="demo:bread"),
    )
    await chat.messages.send(first, room.id, Draft(content="Lunch at noon!", mentions=Mentions(all=True)))
    after = await _unread(chat, second, room.id)
    for actor, emoji in ((first, "🥖"), (second, "🥖"), (second, ":croissant:")):
        await chat.reactions.react(actor, room.id, asked.message.id, emoji)
    await chat.pins.pin(first, room.id, asked.message.id)

    (found,) = await chat.reactions.of_messages(second, room.id, [asked.message.id])
    mine = await chat.mentions.mine(second, limit=3)
    pinned = await chat.pins.of_room(second, room.id)
    threads = await chat.threads.of_room(second, room.id, limit=1)
    name = world.name(world.second.id)
    table = titled(f"{room.name}, as {name} sees it", "what", "<>how it looks")
    table.add_row("reactions", cell("  ".join(f"{one.emoji} {one.count}" for one in found.emoji)))
    table.add_row("unread, mentions", cell(f"{before.count}, {before.mentions} -> {after.count}, {after.mentions}"))
    for mention in mine.items:
        kinds = " and ".join(kind.value for kind in mention.kinds)
        table.add_row(f"mentioned ({kinds})", cell(plain(mention.message), _LONG))
    for one in pinned.items:
        table.add_row("pinned", cell(plain(one.message), _LONG))
    for thread in threads.items:
        who = ", ".join(world.name(user_id) for user_id in thread.participants)
        text = (
            f"{thread.reply_count:,} replies by {thread.participant_count}: {who}; last {thread.last_reply_at:%Y-%m-%d}"
        )
        table.add_row("newest thread", cell(text, _LONG))
    console.print(table)


async def search(console: Console, chat: Chat, world: World) -> tuple[Proof, Rate]:
    """A word people use, looked for by somebody who sits there; every hit is then asked for as a message."""
    room = await shared_room(chat, world)
    actor = world.actor(world.first)
    page = await chat.messages.history(actor, room.id, limit=MAX_LIMIT)
    used = Counter(word.lower() for message in page.items for word in set(_WORD.findall(plain(message))))
    word = max(used, key=lambda one: (used[one], one), default="anything")
    begun = time.perf_counter()
    hits = (await chat.search.search(actor, word, limit=_HITS_SHOWN, fresh=True)).items
    seconds = time.perf_counter() - begun
    rooms = {room.id: room.name or "" for room in world.rooms}
    table = titled(f'Found for "{word}"', "room", "who", "<>where it stands")
    for hit in hits:
        said = plain(hit.message)
        shown = said[max(0, said.lower().find(word) - _BEFORE) :]
        table.add_row(
            cell(rooms.get(hit.message.room_id, ""), 24), cell(world.name(hit.message.user_id), 20), cell(shown, _LONG)
        )
    console.print(table)
    console.print(f"the index brought up to date and asked in {seconds:.2f} s", style="dim")

    begun = time.perf_counter()
    found, searches = await _all_hits(chat, actor, word)
    rate = Rate("pages of a search", searches, time.perf_counter() - begun)
    outsider = await chat.identity.register(
        Actor.system(world.first.tenant_id),
        Registration(username="demo-nobody", external_id="demo:nobody", account_type=AccountType.GUEST),
    )
    unseen = [hit.message.id for hit in found if not await _is_visible(chat, actor, hit)]
    strangers, _ = await _all_hits(chat, Actor(user_id=outsider.id, tenant_id=outsider.tenant_id), word)
    sentence = f"{len(found):,} search hits, every one visible to who asked; {len(strangers)} to who sits nowhere"
    return Proof(bool(found) and not unseen and not strangers, sentence), rate


async def _all_hits(chat: Chat, actor: Actor, word: str) -> tuple[list[Hit], int]:
    """Of the newest some hundred, page by page, and how many pages that were."""
    page = await chat.search.search(actor, word, limit=100)
    found, pages = list(page.items), 1
    while page.next is not None and len(found) < _HITS_ASKED:
        page = await chat.search.search(actor, word, cursor=page.next, limit=100)
        found += page.items
        pages += 1
    return found, pages


async def _is_visible(chat: Chat, actor: Actor, hit: Hit) -> bool:
    try:
        message = await chat.messages.get(actor, hit.message.room_id, hit.message.id)
    except (MessageNotFound, NotAMember):
        return False
    return message.content == hit.message.content


async def _unread(chat: Chat, actor: Actor, room_id: RoomId) -> Unread:
    return next(unread for unread in await chat.reading.unread(actor) if unread.room_id == room_id)
