"""Who may invite, and who may answer."""

from __future__ import annotations

from typing import Any

from app.domain.errors import Invalid
from app.domain.identity import AccountInactive, UserNotFound
from app.domain.invitations import InvitationNotFound
from tests.services.asking.scene import ADMINISTERING, OF_TENANT, OWN, READING, READS_ON, STRANGERS, Asks, Scene
from tests.services.world import id_of

_INVITED = {
    "outsider": InvitationNotFound,
    "observer": InvitationNotFound,
    "barred": AccountInactive,
    "foreigner": UserNotFound,
}


async def _invite(scene: Scene) -> Any:
    return await scene.chat.invitations.invite(scene.owner, scene.room.id, id_of(scene.admin))


async def _link(scene: Scene) -> Any:
    return await scene.chat.invitations.make_link(scene.owner, scene.public.id)


ROWS = {
    "invitations.invite": Asks(
        lambda s, a: s.chat.invitations.invite(a, s.room.id, id_of(s.admin)), refused=ADMINISTERING
    ),
    "invitations.invite_email": Asks(
        lambda s, a: s.chat.invitations.invite_email(a, s.room.id, "new@example.org"), refused=ADMINISTERING
    ),
    "invitations.make_link": Asks(lambda s, a: s.chat.invitations.make_link(a, s.room.id), refused=ADMINISTERING),
    "invitations.accept": Asks(
        lambda s, a: s.chat.invitations.accept(a, s.there.id), by="admin", before=_invite, refused=_INVITED
    ),
    "invitations.accept_token": Asks(
        lambda s, a: s.chat.invitations.accept_token(a, s.there.token),
        by="admin",
        before=_link,
        refused={"barred": AccountInactive, "foreigner": UserNotFound},
        open_to=dict.fromkeys(OF_TENANT, "whoever has the token comes in by it"),
    ),
    "invitations.decline": Asks(
        lambda s, a: s.chat.invitations.decline(a, s.there.id), by="admin", before=_invite, refused=_INVITED
    ),
    "invitations.revoke": Asks(
        lambda s, a: s.chat.invitations.revoke(a, s.there.id),
        before=_invite,
        refused={**ADMINISTERING, "foreigner": InvitationNotFound},
    ),
    "invitations.find_by_room": Asks(
        lambda s, a: s.chat.invitations.find_by_room(a, s.room.id),
        refused={**ADMINISTERING, **READING},
    ),
    "invitations.find_mine": Asks(
        lambda s, a: s.chat.invitations.find_mine(a), open_to={**READS_ON, **OWN, "foreigner": "has none there"}
    ),
    "invitations.sweep": Asks(
        lambda s, a: s.chat.invitations.sweep(a), by="system", refused=dict.fromkeys((*STRANGERS, "owner"), Invalid)
    ),
}
