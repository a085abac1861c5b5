"""The settings of an application: read once at the start, checked as a whole, then unchangeable.

`Settings.load()` reads the environment, `.env.local` and `.env` of the working folder, in that order of
precedence; `Settings(...)` takes exactly what it is given and reads nothing, which is what tests and
embedders want. Both raise SettingsError. `docs/settings.md` is generated from this module (`python
docs/generate.py`).
"""

from collections.abc import Mapping
from types import NoneType
from typing import Any, ClassVar, Final, Literal, Self, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from app.settings import urls

PLACEHOLDER: Final = "changethis"
SECRET_KEY_BYTES: Final = 32

# The parts an address may be given in, each with the names it has had, in the order they are documented.
DATABASE_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "host": ("DB_HOST", "POSTGRES_HOST"),
    "port": ("DB_PORT", "POSTGRES_PORT"),
    "database": ("DB_NAME", "POSTGRES_DB", "DB_DATABASE"),
    "user": ("DB_USER", "POSTGRES_USER", "DB_USERNAME"),
    "password": ("DB_PASSWORD", "POSTGRES_PASSWORD"),
}
REDIS_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "host": ("REDIS_HOST",),
    "port": ("REDIS_PORT",),
    "password": ("REDIS_PASSWORD",),
}
_OWN_NAMES: Final[Mapping[str, str]] = {
    "environment": "CHAT_ENV",
    "database_url": "DATABASE_URL",
    "redis_url": "REDIS_URL",
    "secret_key": "SECRET_KEY",
}
# What pydantic reports only because another field was refused: a default derived from that one.
_FOLLOW_UPS: Final = ("default_factory_not_called",)
_HOW_TO_MAKE_A_KEY: Final = 'make one: python -c "import secrets; print(secrets.token_urlsafe(32))"'


class SettingsError(Exception):
    """Settings that cannot be used. `problems` has one line for each, naming the variable and what it allows.

    No line repeats a value that was given: any of them may be a secret, or a secret in the wrong place.
    """

    code: ClassVar[str] = "settings"

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


class Settings(BaseSettings):
    """All settings, each described with units and limits. Raises SettingsError when one does not hold."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_file=(".env", ".env.local"),
        env_file_encoding="utf-8",
        # `NAME=` is how a compose file or a template says "not set".
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        # `from None` hides a cause from a printed traceback only; this keeps values out of pydantic's text as
        # well.
        hide_input_in_errors=True,
        validate_default=True,
    )

    # A later field may depend on an earlier one (defaults per environment, what production requires).
    environment: Literal["development", "test", "production"] = Field(
        "development", description="Where this runs. Sets the defaults marked below and what is required."
    )
    adapters: Literal["postgres", "memory"] = Field(
        "postgres", description="Where data is kept. `memory` needs no server and forgets all at exit."
    )
    pgbouncer: bool = Field(
        False,
        description="Whether connections go through PgBouncer in transaction mode: both statement caches of"
        " asyncpg at 0, and no start-up parameter that a pooler refuses (so no `options` in the URL).",
    )
    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL 15 to 18: `postgresql://user:password@host:5432/chatdb`, also `postgres://`"
        " and `postgresql+asyncpg://`, with libpq options (`sslmode`, `sslrootcert`, `application_name`,"
        " `options`, `target_session_attrs`, `host`, several hosts). No database means `chatdb`."
        " Required in production unless adapters are `memory`.",
    )
    redis_url: SecretStr | None = Field(
        None,
        description="Redis 7+ or Valkey 8+: `redis://:password@host:6379/0`, `rediss://` for TLS,"
        " `unix:///path/redis.sock`.",
    )
    secret_key: SecretStr | None = Field(
        None,
        description=f"Key of everything signed, at least {SECRET_KEY_BYTES} bytes. Required in production.",
    )
    pool_size: int = Field(20, ge=1, le=1000, description="Most connections to PostgreSQL held at once.")
    pool_idle_seconds: float = Field(
        30, ge=1, le=86_400, description="Seconds after which an unused connection is closed."
    )
    pool_wait_seconds: float = Field(
        2,
        ge=0.01,
        le=60,
        description="Seconds to wait for a free connection before the call fails as unavailable.",
    )
    command_timeout_seconds: float = Field(
        30, ge=0.1, le=86_400, description="Seconds one statement may take before it is cancelled."
    )
    lock_timeout_seconds: float = Field(
        5, ge=0.01, le=3_600, description="Seconds one statement may wait for a row or table lock."
    )
    connect_timeout_seconds: float = Field(
        2,
        ge=0.1,
        le=60,
        description="Seconds to wait for a new connection to PostgreSQL. `connect_timeout` in the URL wins.",
    )
    database_schema: str = Field(
        "public",
        pattern=r"^[a-z_][a-z0-9_]{0,62}$",
        description="Schema that holds the tables: a lower-case identifier of at most 63 characters.",
    )
    message_max_length: int = Field(100_000, ge=1, le=100_000, description="Most characters in one message.")
    bcrypt_rounds: int = Field(
        default_factory=lambda earlier: 10 if earlier.get("environment") == "test" else 12,
        ge=10,
        le=18,
        description="Work factor of password hashes; each step doubles the time of a login.",
    )
    search_indexing: bool = Field(
        default_factory=lambda earlier: earlier.get("environment") != "test",
        description="Whether an open application keeps the search index up to date, within a second of a send or an"
        " edit. Any number may; one at least must, or `chatcore search index` be run. Of no effect on `memory`.",
    )
    blob_store: str = Field(
        default_factory=lambda earlier: "memory:" if earlier.get("adapters") == "memory" else "file:.chatcore/files",
        description="Where the bytes of files lie: `memory:`, a folder (`file:///srv/chat`, `file:relative/folder`), or"
        " an object store with the extra `objects` (`s3://bucket/prefix`, `gs://`, `az://`), whose keys and region come"
        " from the environment as that cloud names them.",
    )
    file_max_bytes: int = Field(
        100 * 1024 * 1024, ge=1, le=5 * 1024**4, description="Most bytes in one file: 100 MiB unless set."
    )
    file_types: str = Field(
        "*/*",
        pattern=r"^[a-z0-9!#$&^_.+*-]+/[a-z0-9!#$&^_.+*-]+(,[a-z0-9!#$&^_.+*-]+/[a-z0-9!#$&^_.+*-]+)*$",
        max_length=2000,
        description="MIME types that may be uploaded, separated by commas: `image/*,application/pdf`.",
    )
    files_of_deleted_messages: Literal["keep", "drop"] = Field(
        "keep", description="Whether the files of a deleted message are kept, hidden with it, or taken away with it."
    )
    unattached_file_hours: float = Field(
        24, ge=1, le=8_760, description="Hours after which a file that no message has is removed."
    )
    password_algorithm: Literal["bcrypt", "argon2id"] = Field(
        "bcrypt",
        description="What new passwords are hashed by; `argon2id` needs the extra `argon2`. Hashes of the other still"
        " verify, and are made anew at the next login.",
    )
    password_threads: int = Field(
        2, ge=1, le=64, description="Most passwords hashed at a time; the others wait their turn."
    )
    months_ahead: int = Field(3, ge=1, le=36, description="Months for which partitions are made ahead.")

    def __init__(self, **values: Any) -> None:
        problems: tuple[str, ...] = ()
        try:
            super().__init__(**values)
        except ValidationError as error:
            problems = tuple(
                dict.fromkeys(_problem(detail) for detail in error.errors() if detail["type"] not in _FOLLOW_UPS)
            )
        # Raised out here so that the pydantic error, which carries the values, is not even the context of it.
        if problems:
            raise SettingsError(*problems)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what the constructor is given, so that a test does not depend on whose machine it runs on."""
        return (init_settings,)

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Settings from the environment and the files; `overrides` (by field name) win over both.

        Of addresses given as URL and in parts, the URL wins. Raises SettingsError with every problem found.
        """
        variables = _read_variables(cls)
        values: dict[str, Any] = {
            name: variables[variable_of(name).lower()]
            for name in cls.model_fields
            if variable_of(name).lower() in variables
        }
        values.update(overrides)
        problems: list[str] = []
        refused: tuple[str, ...] = ()
        for name, parts, join in (
            ("database_url", DATABASE_PARTS, urls.database_url_of),
            ("redis_url", REDIS_PARTS, urls.redis_url_of),
        ):
            if name not in values:
                found, wrong = _choose(parts, variables)
                try:
                    values[name] = join(**found) if any(found.values()) and not wrong else None
                except ValueError as error:
                    wrong.append(f"{_set_names(parts['host'], variables)[0]}: {error}")
                if wrong:
                    problems += wrong
                    refused += (f"{variable_of(name)}:",)
        settings: Self | None = None
        try:
            settings = cls(**values)
        except SettingsError as error:
            # An address whose parts were refused is not also missing.
            problems += [line for line in error.problems if not line.startswith(refused)]
        if problems or settings is None:
            raise SettingsError(*problems)
        return settings

    @property
    def database_dsn(self) -> str:
        """The plain `postgresql://` form for `asyncpg.connect(dsn)` and libpq's tools, password included.

        What asyncpg would misread is put right: options it does not know are gone (`connect_timeout` is in
        `connect_timeout_seconds`), an address in the options has won. Raises SettingsError when no address
        was given.
        """
        if self.database_url is None:
            raise SettingsError("DATABASE_URL: is not set, so there is no PostgreSQL to connect to")
        return str(urls.read_database_url(self.database_url.get_secret_value()))

    @field_validator("database_url")
    @classmethod
    def _readable_database(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is None:
            if info.data.get("environment") == "production" and info.data.get("adapters") == "postgres":
                raise ValueError("is required in production unless CHAT_ADAPTERS is memory")
            return None
        url = urls.read_database_url(value.get_secret_value())
        if info.data.get("pgbouncer") and url.has_startup_parameters:
            raise ValueError("must not set options or server parameters with CHAT_PGBOUNCER: a pooler refuses them")
        return value

    @field_validator("redis_url")
    @classmethod
    def _readable_redis(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else SecretStr(urls.check_redis_url(value.get_secret_value()))

    @field_validator("secret_key")
    @classmethod
    def _strong_key(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is None:
            if info.data.get("environment") == "production":
                raise ValueError(f"is required in production; {_HOW_TO_MAKE_A_KEY}")
            return None
        if PLACEHOLDER in value.get_secret_value().lower():
            raise ValueError(f"is still the placeholder of .env.example; {_HOW_TO_MAKE_A_KEY}")
        if len(value.get_secret_value().encode()) < SECRET_KEY_BYTES:
            raise ValueError(f"must have at least {SECRET_KEY_BYTES} bytes; {_HOW_TO_MAKE_A_KEY}")
        return value

    @field_validator("blob_store")
    @classmethod
    def _known_blob_store(cls, value: str) -> str:
        urls.check_blob_store_url(value)
        return value

    @field_validator("connect_timeout_seconds")
    @classmethod
    def _timeout_of_the_url(cls, value: float, info: ValidationInfo) -> float:
        given: SecretStr | None = info.data.get("database_url")
        timeout = None if given is None else urls.read_database_url(given.get_secret_value()).connect_timeout
        return value if timeout is None else timeout

    @field_validator("database_schema")
    @classmethod
    def _free_schema(cls, value: str, info: ValidationInfo) -> str:
        if value != "public" and info.data.get("pgbouncer"):
            raise ValueError("must be public with CHAT_PGBOUNCER: give the role the search_path on the server instead")
        if value.startswith("pg_") or value == "information_schema":
            raise ValueError("must not be a schema of PostgreSQL itself (pg_..., information_schema)")
        return value


def variable_of(name: str) -> str:
    """The environment variable of a field."""
    return _OWN_NAMES.get(name, f"CHAT_{name.upper()}")


def allowed_by(field: FieldInfo) -> str:
    """What a field takes, in words: for error messages and for the documentation."""
    kinds = [kind for kind in get_args(field.annotation) or (field.annotation,) if kind is not NoneType]
    if get_origin(field.annotation) is Literal:
        return " or ".join(kinds)
    words = {bool: "true or false", int: "a whole number", float: "a number"}.get(kinds[0], "text")
    for limit in field.metadata:
        match limit:
            case Ge(ge=least):
                words += f" from {least}"
            case Le(le=most):
                words += f" to {most}"
            case _ if pattern := getattr(limit, "pattern", None):
                words += f" matching {pattern}"
    return words


def _read_variables(settings: type[BaseSettings]) -> dict[str, str]:
    """All variables by lower-case name, the environment over `.env.local` over `.env`; empty is not set."""
    try:
        sources = {**DotEnvSettingsSource(settings).env_vars, **EnvSettingsSource(settings).env_vars}
        return {name: text for name, text in sources.items() if text}
    except (OSError, UnicodeDecodeError):
        pass
    # Out here because a UnicodeDecodeError carries the whole file, secrets included.
    raise SettingsError(".env, .env.local: must be readable files of UTF-8 text")


def _set_names(names: tuple[str, ...], variables: Mapping[str, str]) -> list[str]:
    # Kubernetes and Docker links put addresses of services called `redis` or `postgres` into REDIS_PORT and
    # POSTGRES_PORT: nobody meant those as settings.
    return [name for name in names if not variables.get(name.lower(), "tcp://").startswith("tcp://")]


def _choose(
    parts: Mapping[str, tuple[str, ...]], variables: Mapping[str, str]
) -> tuple[dict[str, str | None], list[str]]:
    """One value for each part, and the problems: names of one part that disagree, a port that is none."""
    found: dict[str, str | None] = {}
    problems: list[str] = []
    for part, names in parts.items():
        given = _set_names(names, variables)
        found[part] = variables[given[0].lower()] if given else None
        if len({variables[name.lower()] for name in given}) > 1:
            problems.append(f"{' and '.join(given)}: must be equal when more than one is set; they differ")
        elif given and any("\ud800" <= letter <= "\udfff" for letter in found[part] or ""):
            # A variable that is not UTF-8 arrives with surrogates in it, which no driver can send.
            problems.append(f"{given[0]}: must be UTF-8 text")
        elif part == "port" and given and not urls.is_port(found[part] or ""):
            problems.append(f"{given[0]}: must be {urls.PORT_RANGE}")
    return found, problems


def _problem(detail: ErrorDetails) -> str:
    name = str(detail["loc"][0])
    if detail["type"] == "extra_forbidden":
        return f"{name}: is not a setting"
    if detail["type"] == "value_error":
        return f"{variable_of(name)}: {detail['ctx']['error']}"
    return f"{variable_of(name)}: must be {allowed_by(Settings.model_fields[name])}"
