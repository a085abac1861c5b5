"""Who is where: the rooms and members the other parts of the demo speak of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from app.container import Chat
from app.domain.actors import Actor
from app.domain.identity import AccountType, User
from app.domain.ids import RoomId, UserId
from app.domain.messaging import Message
from app.domain.pages import MAX_LIMIT
from app.domain.rooms import Room


@dataclass(frozen=True, slots=True)
class World:
    """Every public room with its members, as the application sees them."""

    rooms: tuple[Room, ...]
    """The one with the most messages first."""
    members: dict[RoomId, int]
    users: dict[UserId, User]
    first: User
    """The two people who sit in the most rooms."""
    second: User

    def name(self, user_id: UserId | None) -> str:
        user = None if user_id is None else self.users.get(user_id)
        return "nobody" if user is None else user.display_name or user.username

    def actor(self, user: User) -> Actor:
        return Actor(user_id=user.id, tenant_id=user.tenant_id)


async def looked_up(chat: Chat, application: Actor) -> World:
    """Pages through all rooms and their members."""
    rooms: list[Room] = []
    users: dict[UserId, User] = {}
    members: dict[RoomId, int] = {}
    seats: Counter[UserId] = Counter()
    page = await chat.rooms.browse(application, limit=MAX_LIMIT)
    rooms += page.items
    while page.newer:
        page = await chat.rooms.browse(application, after=page.newer, limit=MAX_LIMIT)
        rooms += page.items
    for room in rooms:
        seated = await chat.members.find_by_room(application, room.id, limit=MAX_LIMIT)
        found = list(seated.items)
        while seated.newer:
            seated = await chat.members.find_by_room(application, room.id, after=seated.newer, limit=MAX_LIMIT)
            found += seated.items
        members[room.id] = len(found)
        users |= {member.user.id: member.user for member in found}
        seats.update(member.user.id for member in found)
    people = [user_id for user_id in users if users[user_id].account_type is not AccountType.ROBOT]
    people.sort(key=lambda user_id: (-seats[user_id], user_id))
    rooms.sort(key=lambda room: (-room.last_position, room.name or ""))
    first, second = (users[user_id] for user_id in people[:2])
    return World(tuple(rooms), members, users, first, second)


async def shared_room(chat: Chat, world: World) -> Room:
    """The busiest room both people sit in."""
    both = [
        {summary.room.id for summary in await chat.rooms.my_rooms(world.actor(user))}
        for user in (world.first, world.second)
    ]
    return next(room for room in world.rooms if room.id in both[0] and room.id in both[1])


def plain(message: Message) -> str:
    """What a message says, without its markup; of one that quotes another, only what is its own."""
    said = message.metadata.get("plain")
    if not isinstance(said, str):
        return message.content
    if message.reply_to_message_id is None:
        return said
    lines = said.split("\n")
    own = [line for nth, line in enumerate(lines) if not line.startswith("> ") and not _introduces(lines, nth)]
    return "\n".join(own) or said


def _introduces(lines: list[str], nth: int) -> bool:
    """Whether a line is the "Ada said:" before a quote."""
    return lines[nth].endswith(":") and nth + 1 < len(lines) and lines[nth + 1].startswith("> ")
