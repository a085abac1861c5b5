"""Who may do what to the members of a room."""

from __future__ import annotations

from app.domain.errors import Invalid
from app.domain.identity import AccountInactive, UserNotFound
from app.domain.rooms.moderation import Rights
from tests.services.asking.scene import ACTING, ADMINISTERING, AS_MEMBER, OF_TENANT, READING, READS_ON, STRANGERS, Asks
from tests.services.world import id_of

ROWS = {
    "members.join": Asks(
        lambda s, a: s.chat.members.join(a, s.public.id),
        by="member",
        refused={"barred": AccountInactive, "foreigner": UserNotFound},
        open_to=OF_TENANT,
    ),
    "members.leave": Asks(
        lambda s, a: s.chat.members.leave(a, s.room.id), by="member", refused=ACTING, open_to=AS_MEMBER
    ),
    "members.add": Asks(lambda s, a: s.chat.members.add(a, s.room.id, id_of(s.supervisor)), refused=ADMINISTERING),
    "members.remove": Asks(lambda s, a: s.chat.members.remove(a, s.room.id, id_of(s.member)), refused=ADMINISTERING),
    "members.change_role": Asks(
        lambda s, a: s.chat.members.change_role(a, s.room.id, id_of(s.member), "moderator"),
        refused=ADMINISTERING,
    ),
    "members.transfer_ownership": Asks(
        lambda s, a: s.chat.members.transfer_ownership(a, s.room.id, id_of(s.member)),
        refused={name: refusal for name, refusal in ADMINISTERING.items() if name != "member"},
    ),
    "members.appoint_owner": Asks(
        lambda s, a: s.chat.members.appoint_owner(a, s.room.id, id_of(s.member)),
        by="system",
        refused=dict.fromkeys((*STRANGERS, "owner"), Invalid),
    ),
    "members.set_rights": Asks(
        lambda s, a: s.chat.members.set_rights(a, s.room.id, id_of(s.member), Rights(can_send_messages=False)),
        refused=ADMINISTERING,
    ),
    "members.set_notify_level": Asks(
        lambda s, a: s.chat.members.set_notify_level(a, s.room.id, "none"),
        by="member",
        refused=ACTING,
        open_to=AS_MEMBER,
    ),
    "members.find_by_room": Asks(
        lambda s, a: s.chat.members.find_by_room(a, s.room.id), by="member", refused=READING, open_to=READS_ON
    ),
}
