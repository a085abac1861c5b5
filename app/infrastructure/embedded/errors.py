"""What can go wrong with a server of our own."""

from typing import ClassVar


class EngineUnavailable(Exception):
    """A server could not be found, started, reached or stopped; the message is one plain line that says what to do."""

    code: ClassVar[str] = "engine_unavailable"
