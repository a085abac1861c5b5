"""Single statements on PostgreSQL, outside any unit of work: hot writes and reads."""

from __future__ import annotations

from app.domain.unit_of_work import Once, Reader

from .access import PostgresAccessReader
from .activity import PostgresActivityReader
from .answers import PostgresAnswerWriter
from .blocks import PostgresBlockReader, PostgresBlockWriter
from .credentials import PostgresCredentialReader, PostgresCredentialWriter
from .drafts import PostgresDraftReader, PostgresDraftWriter
from .files import PostgresFileReader, PostgresFileWriter
from .identity import PostgresTenantReader, PostgresUserReader, PostgresUserWriter
from .invitations import PostgresInvitationReader
from .mentions import PostgresMentionReader
from .messaging import PostgresMessageReader, PostgresMessageWriter
from .pins import PostgresPinReader, PostgresPinWriter
from .reactions import PostgresReactionReader, PostgresReactionWriter
from .reading import PostgresReadingReader, PostgresReadingWriter
from .rooms import PostgresRoomReader
from .schedule import PostgresScheduleReader, PostgresScheduleWriter
from .search import PostgresSearchReader
from .statements import Scope, SingleStatements
from .supervision import PostgresAccessLogReader, PostgresSupervisedReads
from .support.conclusions import PostgresConclusionReader
from .support.escalations import PostgresEscalationReader
from .support.robots import PostgresRobotReader
from .threads import PostgresThreadReader, PostgresThreadWriter


class PostgresOnce(Once):
    """Hot writes, each a statement and a transaction of its own."""

    __slots__ = ("_scope", "_statements")

    def __init__(self, statements: SingleStatements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    @property
    def users(self) -> PostgresUserWriter:
        return PostgresUserWriter(self._statements, self._scope)

    @property
    def credentials(self) -> PostgresCredentialWriter:
        return PostgresCredentialWriter(self._statements, self._scope)

    @property
    def blocks(self) -> PostgresBlockWriter:
        return PostgresBlockWriter(self._statements, self._scope)

    @property
    def messages(self) -> PostgresMessageWriter:
        return PostgresMessageWriter(self._statements, self._scope)

    @property
    def reading(self) -> PostgresReadingWriter:
        return PostgresReadingWriter(self._statements, self._scope)

    @property
    def files(self) -> PostgresFileWriter:
        return PostgresFileWriter(self._statements, self._scope)

    @property
    def threads(self) -> PostgresThreadWriter:
        return PostgresThreadWriter(self._statements, self._scope)

    @property
    def drafts(self) -> PostgresDraftWriter:
        return PostgresDraftWriter(self._statements, self._scope)

    @property
    def schedule(self) -> PostgresScheduleWriter:
        return PostgresScheduleWriter(self._statements, self._scope)

    @property
    def answers(self) -> PostgresAnswerWriter:
        return PostgresAnswerWriter(self._statements, self._scope)

    @property
    def reactions(self) -> PostgresReactionWriter:
        return PostgresReactionWriter(self._statements, self._scope)

    @property
    def pins(self) -> PostgresPinWriter:
        return PostgresPinWriter(self._statements, self._scope)

    @property
    def supervision(self) -> PostgresSupervisedReads:
        return PostgresSupervisedReads(self._statements, self._scope)


class PostgresReader(Reader):
    """Reads, each a statement of its own."""

    __slots__ = ("_scope", "_statements")

    def __init__(self, statements: SingleStatements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    @property
    def tenants(self) -> PostgresTenantReader:
        return PostgresTenantReader(self._statements, self._scope)

    @property
    def users(self) -> PostgresUserReader:
        return PostgresUserReader(self._statements, self._scope)

    @property
    def credentials(self) -> PostgresCredentialReader:
        return PostgresCredentialReader(self._statements, self._scope)

    @property
    def blocks(self) -> PostgresBlockReader:
        return PostgresBlockReader(self._statements, self._scope)

    @property
    def rooms(self) -> PostgresRoomReader:
        return PostgresRoomReader(self._statements, self._scope)

    @property
    def invitations(self) -> PostgresInvitationReader:
        return PostgresInvitationReader(self._statements, self._scope)

    @property
    def messages(self) -> PostgresMessageReader:
        return PostgresMessageReader(self._statements, self._scope)

    @property
    def reading(self) -> PostgresReadingReader:
        return PostgresReadingReader(self._statements, self._scope)

    @property
    def search(self) -> PostgresSearchReader:
        return PostgresSearchReader(self._statements, self._scope)

    @property
    def files(self) -> PostgresFileReader:
        return PostgresFileReader(self._statements, self._scope)

    @property
    def threads(self) -> PostgresThreadReader:
        return PostgresThreadReader(self._statements, self._scope)

    @property
    def drafts(self) -> PostgresDraftReader:
        return PostgresDraftReader(self._statements, self._scope)

    @property
    def schedule(self) -> PostgresScheduleReader:
        return PostgresScheduleReader(self._statements, self._scope)

    @property
    def reactions(self) -> PostgresReactionReader:
        return PostgresReactionReader(self._statements, self._scope)

    @property
    def mentions(self) -> PostgresMentionReader:
        return PostgresMentionReader(self._statements, self._scope)

    @property
    def pins(self) -> PostgresPinReader:
        return PostgresPinReader(self._statements, self._scope)

    @property
    def access(self) -> PostgresAccessReader:
        return PostgresAccessReader(self._statements, self._scope)

    @property
    def supervision(self) -> PostgresAccessLogReader:
        return PostgresAccessLogReader(self._statements, self._scope)

    @property
    def robots(self) -> PostgresRobotReader:
        return PostgresRobotReader(self._statements, self._scope)

    @property
    def escalations(self) -> PostgresEscalationReader:
        return PostgresEscalationReader(self._statements, self._scope)

    @property
    def conclusions(self) -> PostgresConclusionReader:
        return PostgresConclusionReader(self._statements, self._scope)

    @property
    def activity(self) -> PostgresActivityReader:
        return PostgresActivityReader(self._statements, self._scope)
