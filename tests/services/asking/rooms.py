"""Who may do what to rooms."""

from __future__ import annotations

from app.domain.access import NotAllowed
from app.domain.identity import AccountInactive, UserNotFound
from app.domain.rooms import NewRoom, RoomChange
from app.domain.rooms.children import NewChild
from tests.services.asking.scene import ACTING, ADMINISTERING, AS_MEMBER, OF_TENANT, OWN, READING, READS_ON, Asks
from tests.services.world import id_of

_STANDING = {"barred": AccountInactive, "foreigner": UserNotFound}

ROWS = {
    "rooms.create": Asks(
        lambda s, a: s.chat.rooms.create(a, NewRoom(name="New", parent_room_id=s.room.id)),
        refused=ACTING,
        open_to=AS_MEMBER,
    ),
    "rooms.open_direct": Asks(
        lambda s, a: s.chat.rooms.open_direct(a, id_of(s.member)), refused=_STANDING, open_to=OF_TENANT
    ),
    "rooms.update": Asks(lambda s, a: s.chat.rooms.update(a, s.room.id, RoomChange(name="New")), refused=ADMINISTERING),
    "rooms.close": Asks(lambda s, a: s.chat.rooms.close(a, s.room.id), refused=ADMINISTERING),
    "rooms.archive": Asks(lambda s, a: s.chat.rooms.archive(a, s.room.id), refused=ADMINISTERING),
    "rooms.reopen": Asks(
        lambda s, a: s.chat.rooms.reopen(a, s.room.id),
        before=lambda s: s.chat.rooms.archive(s.owner, s.room.id),
        refused=ADMINISTERING,
    ),
    "rooms.delete": Asks(lambda s, a: s.chat.rooms.delete(a, s.room.id), refused=ADMINISTERING),
    "rooms.open_child": Asks(
        lambda s, a: s.chat.rooms.open_child(a, s.room.id, NewChild(name="Child")),
        refused={**ACTING, "observer": NotAllowed},
    ),
    "rooms.find_children": Asks(
        lambda s, a: s.chat.rooms.find_children(a, s.room.id), refused=READING, open_to=READS_ON
    ),
    "rooms.browse_mine": Asks(
        lambda s, a: s.chat.rooms.browse_mine(a), open_to={**READS_ON, **OWN, "foreigner": "has no rooms there"}
    ),
    "rooms.get": Asks(lambda s, a: s.chat.rooms.get(a, s.room.id), refused=READING, open_to=READS_ON),
    "rooms.find_by_external_id": Asks(
        lambda s, a: s.chat.rooms.find_by_external_id(a, "secret-1"),
        open_to={**READS_ON, **dict.fromkeys(("outsider", "foreigner"), "the answer is None, as for no room at all")},
    ),
    "rooms.browse": Asks(
        lambda s, a: s.chat.rooms.browse(a),
        open_to={**READS_ON, **OF_TENANT, "foreigner": "sees public rooms of that tenant only"},
    ),
    "rooms.my_rooms": Asks(
        lambda s, a: s.chat.rooms.my_rooms(a),
        open_to={**READS_ON, **OWN, "foreigner": "has no rooms there"},
    ),
}
