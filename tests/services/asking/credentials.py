"""Who may prove who they are, and change how."""

from __future__ import annotations

from app.domain.credentials import TokenNotValid, WrongCredentials
from app.domain.errors import Invalid
from app.domain.identity import AccountInactive, UserNotFound
from tests.services.asking.scene import OWN, STRANGERS, Asks

_PROOF = dict.fromkeys(("outsider", "observer"), "the password or token is the proof, whoever acts")
_OF_ONESELF = {"barred": AccountInactive, "foreigner": UserNotFound}
_BY_TOKEN = {"barred": AccountInactive, "foreigner": TokenNotValid}

ROWS = {
    "credentials.authenticate": Asks(
        lambda s, a: s.chat.credentials.authenticate(a, "owner@example.org", "correct horse"),
        refused={"barred": AccountInactive, "foreigner": WrongCredentials},
        open_to=_PROOF,
    ),
    "credentials.change_password": Asks(
        lambda s, a: s.chat.credentials.change_password(a, "correct horse", "battery staple"),
        refused=_OF_ONESELF,
        open_to=OWN,
    ),
    "credentials.request_password_reset": Asks(
        lambda s, a: s.chat.credentials.request_password_reset(a, "owner@example.org"),
        open_to=dict.fromkeys(
            STRANGERS, "never tells whether the address is known; the token goes to its mailbox only"
        ),
    ),
    "credentials.reset_password": Asks(
        lambda s, a: s.chat.credentials.reset_password(a, s.there.token, "battery staple"),
        before=lambda s: s.chat.credentials.request_password_reset(s.system, "owner@example.org"),
        refused=_BY_TOKEN,
        open_to=_PROOF,
    ),
    "credentials.request_email_verification": Asks(
        lambda s, a: s.chat.credentials.request_email_verification(a), refused=_OF_ONESELF, open_to=OWN
    ),
    "credentials.confirm_email": Asks(
        lambda s, a: s.chat.credentials.confirm_email(a, s.there.token),
        before=lambda s: s.chat.credentials.request_email_verification(s.owner),
        refused=_BY_TOKEN,
        open_to=_PROOF,
    ),
    "credentials.change_email": Asks(
        lambda s, a: s.chat.credentials.change_email(a, "new@example.org"), refused=_OF_ONESELF, open_to=OWN
    ),
    "credentials.sweep_tokens": Asks(
        lambda s, a: s.chat.credentials.sweep_tokens(a),
        by="system",
        refused=dict.fromkeys((*STRANGERS, "owner", "admin"), Invalid),
    ),
}
