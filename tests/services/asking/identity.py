"""Who may do what to accounts."""

from __future__ import annotations

from app.domain.identity import AccountInactive, AccountType, ProfileChange, StaffOnly, UserNotFound
from tests.services.asking.scene import OF_TENANT, OWN, READS_ON, Asks
from tests.services.world import id_of, registration

_FOUND_BY_ALL = {**READS_ON, **OF_TENANT, "foreigner": "the answer is None, as for nobody at all"}

ROWS = {
    "identity.register": Asks(
        lambda s, a: s.chat.identity.register(a, registration("new", AccountType.AGENT)),
        by="system",
        refused={
            "outsider": StaffOnly,
            "observer": StaffOnly,
            "barred": StaffOnly,
            "foreigner": StaffOnly,
            "admin": StaffOnly,
        },
    ),
    "identity.update_profile": Asks(
        lambda s, a: s.chat.identity.update_profile(a, ProfileChange(first_name="Ann")),
        refused={"barred": AccountInactive, "foreigner": UserNotFound},
        open_to=OWN,
    ),
    "identity.update_online_status": Asks(
        lambda s, a: s.chat.identity.update_online_status(a, "online"),
        refused={"foreigner": UserNotFound},
        open_to={**OWN, **READS_ON},
    ),
    "identity.profile": Asks(
        lambda s, a: s.chat.identity.profile(a, id_of(s.owner)),
        refused={"foreigner": UserNotFound},
        open_to={**OF_TENANT, **READS_ON},
    ),
    "identity.settings": Asks(
        lambda s, a: s.chat.identity.settings(a), refused={"foreigner": UserNotFound}, open_to={**OWN, **READS_ON}
    ),
    "identity.find_by_id": Asks(lambda s, a: s.chat.identity.find_by_id(a, id_of(s.owner)), open_to=_FOUND_BY_ALL),
    "identity.find_by_email": Asks(
        lambda s, a: s.chat.identity.find_by_email(a, "owner@example.org"), open_to=_FOUND_BY_ALL
    ),
    "identity.find_by_username": Asks(lambda s, a: s.chat.identity.find_by_username(a, "owner"), open_to=_FOUND_BY_ALL),
    "identity.find_by_external_id": Asks(
        lambda s, a: s.chat.identity.find_by_external_id(a, "none"), open_to=_FOUND_BY_ALL
    ),
}
