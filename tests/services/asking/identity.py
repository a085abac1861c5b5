"""Who may do what to accounts."""

from __future__ import annotations

from app.domain.identity import AccountInactive, AccountType, ProfileChange, SettingsChange, StaffOnly, UserNotFound
from app.domain.identity.standing import NotStaff
from tests.services.asking.scene import OF_TENANT, OWN, READS_ON, Asks
from tests.services.world import id_of, registration

_FOUND_BY_ALL = {**READS_ON, **OF_TENANT, "foreigner": "the answer is None, as for nobody at all"}

_OF_ONESELF = {"barred": AccountInactive, "foreigner": UserNotFound}
_STAFF = {
    "outsider": NotStaff,
    "observer": NotStaff,
    "barred": AccountInactive,
    "foreigner": UserNotFound,
    "owner": NotStaff,
    "agent": NotStaff,
}

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
        lambda s, a: s.chat.identity.update_online_status(a, "online"), refused=_OF_ONESELF, open_to=OWN
    ),
    "identity.set_custom_status": Asks(
        lambda s, a: s.chat.identity.set_custom_status(a, "at lunch"), refused=_OF_ONESELF, open_to=OWN
    ),
    "identity.clear_custom_status": Asks(
        lambda s, a: s.chat.identity.clear_custom_status(a), refused=_OF_ONESELF, open_to=OWN
    ),
    "identity.update_settings": Asks(
        lambda s, a: s.chat.identity.update_settings(a, SettingsChange(theme="dark")), refused=_OF_ONESELF, open_to=OWN
    ),
    "identity.suspend": Asks(lambda s, a: s.chat.identity.suspend(a, id_of(s.member)), by="admin", refused=_STAFF),
    "identity.reactivate": Asks(
        lambda s, a: s.chat.identity.reactivate(a, id_of(s.member)),
        by="admin",
        before=lambda s: s.chat.identity.suspend(s.system, id_of(s.member)),
        refused=_STAFF,
    ),
    "identity.deactivate": Asks(lambda s, a: s.chat.identity.deactivate(a), refused=_OF_ONESELF, open_to=OWN),
    "identity.deactivate another": Asks(
        lambda s, a: s.chat.identity.deactivate(a, id_of(s.member)), by="admin", refused=_STAFF
    ),
    "identity.link_external_id": Asks(
        lambda s, a: s.chat.identity.link_external_id(a, id_of(s.member), "crm-1"),
        by="admin",
        refused={**_STAFF, "member": NotStaff},
    ),
    "identity.unlink_external_id": Asks(
        lambda s, a: s.chat.identity.unlink_external_id(a, id_of(s.member)),
        by="admin",
        before=lambda s: s.chat.identity.link_external_id(s.system, id_of(s.member), "crm-1"),
        refused=_STAFF,
    ),
    "identity.find_online": Asks(
        lambda s, a: s.chat.identity.find_online(a),
        open_to={**READS_ON, **OF_TENANT, "foreigner": "sees who is of that tenant only"},
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
