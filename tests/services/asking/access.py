"""Who may make roles, grant them, and ask about others; who may read without a seat."""

from __future__ import annotations

from app.domain.access import NotAllowed
from app.domain.access.roles import NewRole
from app.domain.identity import AccountInactive, UserNotFound
from tests.services.asking.scene import OF_TENANT, OWN, STRANGERS, Asks
from tests.services.world import id_of

_STAFF = {
    "outsider": NotAllowed,
    "observer": NotAllowed,
    "barred": AccountInactive,
    "foreigner": UserNotFound,
    "owner": NotAllowed,
}
_IN_ROOM = {
    "outsider": NotAllowed,
    "observer": NotAllowed,
    "barred": AccountInactive,
    "foreigner": UserNotFound,
    "member": NotAllowed,
}
_STANDING = {"barred": AccountInactive, "foreigner": UserNotFound}

ROWS = {
    "access.can": Asks(
        lambda s, a: s.chat.access.can(a, "chat:room:update"),
        refused={"foreigner": UserNotFound},
        open_to={**OWN, "barred": "the answer is no"},
    ),
    "access.explain": Asks(lambda s, a: s.chat.access.explain(a, id_of(s.admin), s.room.id), refused=_IN_ROOM),
    "access.domains": Asks(
        lambda s, a: s.chat.access.domains(a),
        open_to=dict.fromkeys(STRANGERS, "the same for everybody, and public"),
    ),
    "access.roles": Asks(lambda s, a: s.chat.access.roles(a), refused=_STANDING, open_to=OF_TENANT),
    "access.create_role": Asks(
        lambda s, a: s.chat.access.create_role(a, NewRole(name="New")), by="admin", refused=_STAFF
    ),
    "access.rename_role": Asks(lambda s, a: s.chat.access.rename_role(a, s.role.id, "New"), by="admin", refused=_STAFF),
    "access.set_permissions": Asks(
        lambda s, a: s.chat.access.set_permissions(a, s.role.id, ["chat:message:*"]), by="admin", refused=_STAFF
    ),
    "access.delete_role": Asks(lambda s, a: s.chat.access.delete_role(a, s.role.id), by="admin", refused=_STAFF),
    "access.grant": Asks(
        lambda s, a: s.chat.access.grant(a, id_of(s.outsider), s.role.id, s.room.id), refused=_IN_ROOM
    ),
    "access.grant everywhere": Asks(
        lambda s, a: s.chat.access.grant(a, id_of(s.outsider), s.staff_role.id), by="admin", refused=_STAFF
    ),
    "access.revoke": Asks(
        lambda s, a: s.chat.access.revoke(a, id_of(s.member), s.role.id, s.room.id),
        refused={k: v for k, v in _IN_ROOM.items() if k != "member"},
    ),
    "access.roles_of": Asks(lambda s, a: s.chat.access.roles_of(a, id_of(s.member)), by="admin", refused=_STAFF),
    "access.grants_of": Asks(
        lambda s, a: s.chat.access.grants_of(a, id_of(s.admin), s.room.id),
        refused={**_IN_ROOM, "supervisor": NotAllowed, "outsider": NotAllowed},
    ),
    "access.drop_expired": Asks(lambda s, a: s.chat.access.drop_expired(a), by="admin", refused=_STAFF),
    "supervision.history": Asks(
        lambda s, a: s.chat.supervision.history(a, s.room.id, "a complaint"), by="supervisor", refused=_STAFF
    ),
    "supervision.members": Asks(
        lambda s, a: s.chat.supervision.members(a, s.room.id, "a complaint"), by="supervisor", refused=_STAFF
    ),
    "supervision.log": Asks(lambda s, a: s.chat.supervision.log(a, s.room.id), by="supervisor", refused=_STAFF),
}
