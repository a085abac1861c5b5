"""Who may do what to files."""

from __future__ import annotations

from typing import Any

from app.domain.errors import Invalid
from app.domain.files import File, FileNotFound, NewFile, NotTheFilesOwner
from app.domain.identity import AccountInactive
from app.domain.messaging import Draft
from tests.services.asking.scene import READING, READS_ON, SEATED, STRANGERS, Asks, Scene
from tests.services.world import id_of

_NEW = NewFile(name="plan.txt", mime_type="text/plain", size=4)
_BYTES = b"plan"
_APPLICATION = dict.fromkeys((*STRANGERS, "owner", "admin"), Invalid)
_HIDDEN = {"outsider": FileNotFound, "foreigner": FileNotFound}


async def _begun(scene: Scene) -> File:
    return await scene.chat.files.begin(scene.owner, scene.room.id, _NEW)


def _sent(by: str) -> Any:
    async def sent(scene: Scene) -> File:
        """A file in a message of the secret room."""
        author = scene.actor(by)
        file = await scene.chat.files.upload(author, scene.room.id, _NEW, _BYTES)
        await scene.chat.messages.send(author, scene.room.id, Draft(content="see", file_ids=(file.id,)))
        return file

    return sent


ROWS = {
    "files.begin": Asks(lambda s, a: s.chat.files.begin(a, s.room.id, _NEW), refused=SEATED),
    "files.upload": Asks(lambda s, a: s.chat.files.upload(a, s.room.id, _NEW, _BYTES), refused=SEATED),
    "files.write": Asks(
        lambda s, a: s.chat.files.write(a, s.there.id, _BYTES),
        before=_begun,
        refused={**_HIDDEN, "observer": FileNotFound, "member": FileNotFound, "barred": AccountInactive},
    ),
    "files.get": Asks(
        lambda s, a: s.chat.files.get(a, s.there.id), before=_sent("owner"), refused=_HIDDEN, open_to=READS_ON
    ),
    "files.get of no message's": Asks(
        lambda s, a: s.chat.files.get(a, s.there.id),
        before=_begun,
        refused={**_HIDDEN, "observer": FileNotFound, "member": FileNotFound},
        open_to={"barred": READS_ON["barred"]},
    ),
    "files.open": Asks(
        lambda s, a: s.chat.files.open(a, s.there.id), before=_sent("owner"), refused=_HIDDEN, open_to=READS_ON
    ),
    "files.of_messages": Asks(
        lambda s, a: s.chat.files.of_messages(a, s.room.id, [s.message.id]), refused=READING, open_to=READS_ON
    ),
    "files.of_room": Asks(
        lambda s, a: s.chat.files.of_room(a, s.room.id), before=_sent("owner"), refused=READING, open_to=READS_ON
    ),
    "files.of_owner": Asks(
        lambda s, a: s.chat.files.of_owner(a, id_of(s.owner)),
        before=_sent("owner"),
        open_to={
            **dict.fromkeys(("outsider", "observer", "foreigner"), "the page is empty: of others nothing is told"),
            "barred": READS_ON["barred"],
        },
    ),
    "files.rename": Asks(
        lambda s, a: s.chat.files.rename(a, s.there.id, "other.txt"),
        before=_sent("owner"),
        refused={**_HIDDEN, "observer": NotTheFilesOwner, "member": NotTheFilesOwner, "barred": AccountInactive},
    ),
    "files.delete": Asks(
        lambda s, a: s.chat.files.delete(a, s.there.id),
        before=_sent("owner"),
        refused={**_HIDDEN, "observer": NotTheFilesOwner, "member": NotTheFilesOwner, "barred": AccountInactive},
    ),
    "files.delete of another's": Asks(
        lambda s, a: s.chat.files.delete(a, s.there.id),
        before=_sent("member"),
        refused={**_HIDDEN, "observer": NotTheFilesOwner, "barred": AccountInactive},
    ),
    "files.expire_unattached": Asks(lambda s, a: s.chat.files.expire_unattached(a), by="system", refused=_APPLICATION),
    "files.sweep_blobs": Asks(lambda s, a: s.chat.files.sweep_blobs(a), by="system", refused=_APPLICATION),
}
