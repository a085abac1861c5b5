"""Settings: where values come from, which are refused and how, and that no secret is ever shown."""

import logging
import os
import traceback
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from asyncpg import connect_utils
from redis.asyncio.connection import parse_url

from app.settings import DATABASE_PARTS, REDIS_PARTS, Settings, SettingsError, variable_of

KEY = "k" * 32
SECRET = "hunter2-swordfish"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working folder and none of our variables, whoever runs the suite."""
    ours = {variable_of(name) for name in Settings.model_fields}
    ours |= {name for parts in (DATABASE_PARTS, REDIS_PARTS) for names in parts.values() for name in names}
    for name in list(os.environ):
        # libpq's own PG* variables are what asyncpg fills gaps with.
        if name.upper() in ours or name.startswith("PG"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def problems_of(**values: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings(**values)
    return list(caught.value.problems)


def driver_view(url: str, **others: Any) -> tuple[list[Any], Any]:
    """What asyncpg makes of the form we hand to it."""
    names = (
        "host port user password passfile database ssl service servicefile direct_tls server_settings"
        " target_session_attrs krbsrvname gsslib"
    )
    dsn = Settings(database_url=url, **others).database_dsn
    # Private and so not in the stubs, but no other judge of a DSN works without a server.
    read = vars(connect_utils)["_parse_connect_dsn_and_args"]
    view: tuple[list[Any], Any] = read(dsn=dsn, **dict.fromkeys(names.split()))
    return view


# ---- where values come from


def test_later_file_wins_over_earlier_and_environment_over_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("CHAT_POOL_SIZE=1\nCHAT_MESSAGE_MAX_LENGTH=11\nCHAT_MONTHS_AHEAD=12\n")
    (tmp_path / ".env.local").write_text("CHAT_POOL_SIZE=2\nCHAT_MESSAGE_MAX_LENGTH=22\n")
    monkeypatch.setenv("CHAT_POOL_SIZE", "3")
    settings = Settings.load()
    assert (settings.pool_size, settings.message_max_length, settings.months_ahead) == (3, 22, 12)


def test_overrides_win_over_the_environment_also_when_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_ADAPTERS", "postgres")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere")
    settings = Settings.load(adapters="memory", redis_url=None)
    assert settings.adapters == "memory"
    assert settings.redis_url is None


def test_the_constructor_reads_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CHAT_MESSAGE_MAX_LENGTH=7\n")
    # POOL_SIZE and DATABASE_URL are what pydantic-settings itself would look for.
    for name, value in {
        "CHAT_POOL_SIZE": "7",
        "POOL_SIZE": "7",
        "DATABASE_URL": "postgresql://elsewhere",
    }.items():
        monkeypatch.setenv(name, value)
    assert Settings(adapters="memory") == Settings.load(
        adapters="memory", pool_size=20, message_max_length=100_000, database_url=None
    )


def test_empty_variables_are_not_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CHAT_MESSAGE_MAX_LENGTH=7\nSECRET_KEY=\nPOSTGRES_PASSWORD=\n")
    monkeypatch.setenv("CHAT_MESSAGE_MAX_LENGTH", "")
    settings = Settings.load()
    assert settings.message_max_length == 7
    assert settings.secret_key is None
    assert settings.database_url is None


def test_defaults() -> None:
    settings = Settings()
    assert (settings.environment, settings.adapters, settings.pgbouncer) == ("development", "postgres", False)
    assert (settings.pool_size, settings.pool_idle_seconds, settings.pool_wait_seconds) == (20, 30, 2)
    assert (settings.command_timeout_seconds, settings.lock_timeout_seconds) == (30, 5)
    assert (settings.message_max_length, settings.months_ahead) == (100_000, 3)
    assert settings.database_schema == "public"
    assert (settings.bcrypt_rounds, Settings(environment="test").bcrypt_rounds) == (12, 10)
    assert Settings(environment="test", bcrypt_rounds=12).bcrypt_rounds == 12


def test_settings_cannot_be_changed() -> None:
    settings = Settings()
    with pytest.raises(Exception, match="frozen"):
        settings.pool_size = 3  # type: ignore[misc]  # what is tested
    assert settings.pool_size == 20


# ---- limits


@pytest.mark.parametrize(
    ("field", "refused", "limit"),
    [
        ("adapters", "mysql", "postgres or memory"),
        ("environment", "prod", "development or test or production"),
        ("pgbouncer", "perhaps", "true or false"),
        ("pool_size", 0, "a whole number from 1 to 1000"),
        ("pool_size", 1001, "a whole number from 1 to 1000"),
        ("pool_size", "many", "a whole number from 1 to 1000"),
        ("pool_idle_seconds", 0, "a number from 1 to 86400"),
        ("pool_wait_seconds", "nan", "a number from 0.01 to 60"),
        ("command_timeout_seconds", "inf", "a number from 0.1 to 86400"),
        ("lock_timeout_seconds", -1, "a number from 0.01 to 3600"),
        ("connect_timeout_seconds", 61, "a number from 0.1 to 60"),
        ("database_schema", 'a"; drop', "text matching ^[a-z_][a-z0-9_]{0,62}$"),
        ("database_schema", "a" * 64, "text matching ^[a-z_][a-z0-9_]{0,62}$"),
        ("database_schema", "public\n", "text matching ^[a-z_][a-z0-9_]{0,62}$"),
        ("message_max_length", 100_001, "a whole number from 1 to 100000"),
        ("bcrypt_rounds", 9, "a whole number from 10 to 18"),
        ("months_ahead", 0, "a whole number from 1 to 36"),
        ("secret_key", 7, "text"),
    ],
)
def test_a_refusal_is_one_line_naming_variable_and_limit(field: str, refused: object, limit: str) -> None:
    assert problems_of(**{field: refused}) == [f"{variable_of(field)}: must be {limit}"]


def test_limits_themselves_are_allowed() -> None:
    Settings(pool_size=1000, message_max_length=1, bcrypt_rounds=10, database_schema="_" + "a" * 62)


@pytest.mark.parametrize("schema", ["pg_temp", "information_schema"])
def test_schemas_of_the_server_are_refused(schema: str) -> None:
    assert "must not be a schema of PostgreSQL itself" in problems_of(database_schema=schema)[0]


def test_all_problems_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_ENV", "production")
    monkeypatch.setenv("CHAT_POOL_SIZE", "0")
    monkeypatch.setenv("DB_PORT", "x")
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    lines = str(caught.value).splitlines()
    assert tuple(lines) == caught.value.problems
    # Not also "DATABASE_URL is required": its parts were given, and refused.
    assert [line.partition(":")[0] for line in lines] == ["DB_PORT", "SECRET_KEY", "CHAT_POOL_SIZE"]


def test_unknown_fields_are_named() -> None:
    assert problems_of(pool_sise=3) == ["pool_sise: is not a setting"]


# ---- SECRET_KEY, and what production requires


@pytest.mark.parametrize("key", ["k" * 31, "changethis", "changethis" * 4, "please-CHANGETHIS-" + KEY])
def test_weak_keys_are_refused_everywhere(key: str) -> None:
    for environment in ("development", "test"):
        (problem,) = problems_of(environment=environment, secret_key=key)
        assert problem.startswith("SECRET_KEY: ")
        assert "secrets.token_urlsafe(32)" in problem


def test_length_of_the_key_counts_bytes() -> None:
    key = Settings(secret_key="é" * 16).secret_key
    assert key is not None
    assert key.get_secret_value() == "é" * 16


def test_production_requires_a_key_and_a_database() -> None:
    assert {line.partition(":")[0] for line in problems_of(environment="production")} == {
        "DATABASE_URL",
        "SECRET_KEY",
    }
    Settings(environment="production", adapters="memory", secret_key=KEY)
    Settings(environment="production", database_url="postgresql://db", secret_key=KEY)


# ---- addresses in parts


@pytest.mark.parametrize(
    "names",
    [
        ("DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "DB_PASSWORD"),
        ("POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD"),
        ("DB_HOST", "DB_PORT", "DB_DATABASE", "DB_USERNAME", "DB_PASSWORD"),
    ],
)
def test_each_family_of_names_makes_the_url(monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
    for name, value in zip(names, ("db.example", "6543", "talk", "ann", "p@ss/w:rd?#%"), strict=True):
        monkeypatch.setenv(name, value)
    addresses, driver = driver_view(Settings.load().database_dsn)
    assert addresses == [("db.example", 6543)]
    assert (driver.database, driver.user, driver.password) == ("talk", "ann", "p@ss/w:rd?#%")


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        ("::1", [("::1", 5432)]),
        ("[::1]", [("::1", 5432)]),
        ("/run/postgresql", ["/run/postgresql/.s.PGSQL.5432"]),
        ("one,two", [("one", 5432), ("two", 5432)]),
    ],
)
def test_hosts_in_parts(monkeypatch: pytest.MonkeyPatch, host: str, addresses: list[Any]) -> None:
    monkeypatch.setenv("DB_HOST", host)
    view, driver = driver_view(Settings.load().database_dsn)
    assert (view, driver.database) == (addresses, "chatdb")


def test_a_url_wins_over_parts_even_parts_that_disagree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql://from-url/x\nREDIS_URL=redis://from-url:1/2\n")
    for name, value in {"DB_HOST": "a", "POSTGRES_HOST": "b", "DB_PORT": "x", "REDIS_HOST": "c"}.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    assert settings.database_dsn == "postgresql://from-url/x"
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "redis://from-url:1/2"


@pytest.mark.parametrize("names", [names for names in DATABASE_PARTS.values() if len(names) > 1])
def test_names_that_disagree_are_one_error_naming_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, names: tuple[str, ...]
) -> None:
    first, second = names[0], names[-1]
    (tmp_path / ".env").write_text(f"{first}=1234\n")
    monkeypatch.setenv(second, "4321")
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert str(caught.value) == f"{first} and {second}: must be equal when more than one is set; they differ"
    monkeypatch.setenv(second, "1234")
    Settings.load()


def test_redis_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_HOST", "::1")
    monkeypatch.setenv("REDIS_PASSWORD", "p@ss/w:rd?#%")
    url = Settings.load().redis_url
    assert url is not None
    assert parse_url(url.get_secret_value()) == {
        "host": "::1",
        "port": 6379,
        "db": 0,
        "password": "p@ss/w:rd?#%",
    }


def test_addresses_put_there_by_kubernetes_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PORT", "tcp://10.0.0.7:6379")
    monkeypatch.setenv("POSTGRES_PORT", "tcp://10.0.0.8:5432")
    settings = Settings.load()
    assert (settings.redis_url, settings.database_url) == (None, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PORT", "0"),
        ("POSTGRES_PORT", "65536"),
        ("REDIS_PORT", "6379x"),
        ("DB_HOST", "a b"),
        ("REDIS_HOST", "a,b"),
    ],
)
def test_bad_parts_are_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: ") as caught:
        Settings.load()
    assert len(caught.value.problems) == 1
    assert value not in str(caught.value)


# ---- every form of DATABASE_URL, as asyncpg sees it in the end


@pytest.mark.parametrize(
    ("url", "addresses", "database"),
    [
        ("postgres://db", [("db", 5432)], "chatdb"),
        ("postgresql://db/talk", [("db", 5432)], "talk"),
        ("PostgreSQL://db:1/talk", [("db", 1)], "talk"),
        ("postgresql+asyncpg://ann:pw@db:6543/talk", [("db", 6543)], "talk"),
        ("  postgresql://db/talk\n", [("db", 5432)], "talk"),
        ("postgresql://[::1]/talk", [("::1", 5432)], "talk"),
        ("postgresql://[fe80::1%25eth0]:6543/talk", [("fe80::1%eth0", 6543)], "talk"),
        ("postgresql://one:1,[::2]:2,three/talk", [("one", 1), ("::2", 2), ("three", 5432)], "talk"),
        ("postgresql+asyncpg:///talk?host=one:1&host=two:2", [("one", 1), ("two", 2)], "talk"),
        ("postgresql:///talk?host=one,two&port=1,2", [("one", 1), ("two", 2)], "talk"),
        ("postgresql:///talk?host=/run/pg", ["/run/pg/.s.PGSQL.5432"], "talk"),
        ("postgresql://?host=/run/pg&dbname=talk&port=7", ["/run/pg/.s.PGSQL.7"], "talk"),
        ("postgresql://ann:pw@db?host=/run/pg", ["/run/pg/.s.PGSQL.5432"], "chatdb"),
        ("postgresql://%2Frun%2Fpg:7/talk", ["/run/pg/.s.PGSQL.7"], "talk"),
        # As libpq: an option wins over the same thing in front of the `?`. asyncpg alone would go to `db`.
        ("postgresql://db/talk?host=other&dbname=chat", [("other", 5432)], "chat"),
        ("postgresql://db/t%C3%A4lk%2F1", [("db", 5432)], "tälk/1"),
    ],
)
def test_database_addresses(url: str, addresses: list[Any], database: str) -> None:
    view, driver = driver_view(url)
    assert (view, driver.database) == (addresses, database)
    # The form is stable: read again it gives itself.
    dsn = Settings(database_url=url).database_dsn
    assert dsn.startswith("postgresql://")
    assert Settings(database_url=dsn).database_dsn == dsn


@pytest.mark.parametrize(
    ("login", "user", "password"),
    [
        ("ann:p%40ss%2Fw%3Ard%3F%23%25@", "ann", "p@ss/w:rd?#%"),
        ("ann:a+b c@", "ann", "a+b c"),
        ("ann:what?#now@", "ann", "what?#now"),
        ("a%3An:p:q@", "a:n", "p:q"),
        ("ann@", "ann", None),
        ("ann:@", "ann", None),
    ],
)
def test_logins(login: str, user: str, password: str | None) -> None:
    for scheme in ("postgres", "postgresql", "postgresql+asyncpg"):
        _, driver = driver_view(f"{scheme}://{login}db/talk")
        assert (driver.user, driver.password) == (user, password)
    monkey = Settings(database_url="postgresql://db?user=ann&password=a+b").database_dsn
    assert monkey == "postgresql://ann:a%2Bb@db/chatdb"


def test_options_reach_the_driver() -> None:
    _, driver = driver_view(
        "postgresql://db/talk?sslmode=require&application_name=my+app&options=-csearch_path%3Dtalk%2Cpublic"
        "&target_session_attrs=read-write&connect_timeout=7&keepalives_idle=30&gssencmode=disable"
    )
    assert driver.sslmode.name == "require"
    assert driver.target_session_attrs.value == "read-write"
    # Whatever stands here goes to the server, which refuses a connection for a name it does not know.
    assert driver.server_settings == {"application_name": "my+app", "options": "-csearch_path=talk,public"}


def test_root_certificate_is_handed_on() -> None:
    dsn = Settings(database_url="postgresql://db?sslmode=verify-full&sslrootcert=/etc/my ca.pem").database_dsn
    assert dsn == "postgresql://db/chatdb?sslmode=verify-full&sslrootcert=%2Fetc%2Fmy%20ca.pem"
    with pytest.raises(FileNotFoundError):
        driver_view(dsn)


def test_sqlalchemy_form_of_options() -> None:
    _, driver = driver_view("postgresql+asyncpg://db?ssl=require&options=-c+search_path%3Dtalk")
    assert driver.sslmode.name == "require"
    assert driver.server_settings == {"options": "-c search_path=talk"}


def test_connect_timeout_of_the_url_wins() -> None:
    url = "postgresql://db?connect_timeout=7"
    assert Settings(database_url=url).connect_timeout_seconds == 7
    assert Settings(database_url=url, connect_timeout_seconds=3).connect_timeout_seconds == 7
    assert Settings(database_url="postgresql://db", connect_timeout_seconds=3).connect_timeout_seconds == 3


def test_a_service_file_may_name_the_database() -> None:
    assert Settings(database_url="postgresql://?service=talk").database_dsn == "postgresql://?service=talk"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+psycopg2://u:{}@db/x", "psycopg2"),
        ("postgresql+psycopg://u:{}@db/x", "psycopg"),
        ("postgresql+pg8000://u:{}@db/x", "pg8000"),
        ("mysql://u:{}@db/x", "mysql"),
        ("sqlite:///{}.db", "sqlite"),
        ("{}", "must be a URL"),
        ("host=db password={}", "must be a URL"),
        ("u:{}@db/x", "must be a URL"),
        ("postgresql://u:{}@ss@db/x", "%40"),
        ("postgresql://u:{}/ss@db/x", "%2F"),
        ("postgresql://u:12/{}@db/x", "%2F"),
        ("postgresql://u:{}", "the port"),
        ("postgresql://u:{}@db:0/x", "the port"),
        ("postgresql://u:{}@db:65536/x", "65535"),
        ("postgresql://u:{}@::1/x", "the host"),
        ("postgresql://u:{}@one,,two/x", "the host"),
        ("postgresql://u:{}@one,two,three/x?port=1,2", "one port for all hosts"),
        ("postgresql://u:{}%FF@db/x", "UTF-8"),
        ("postgresql://u:{}%00@db/x", "NUL"),
        ("postgresql://u:{}@db/x?{}", "name=value"),
        ("postgresql://db/x?password={}&sslmode=on", "sslmode must be one of disable"),
        ("postgresql://u:{}@db/x?sslmode={}", "sslmode must be one of disable"),
        ("postgresql://u:{}@db/x?target_session_attrs={}", "target_session_attrs must be one of any"),
        ("postgresql://u:{}@db/x?sslrootcert=system", "sslrootcert=system"),
        ("postgresql://u:{}@db/x?connect_timeout={}", "connect_timeout must be a whole number from 1 to 60"),
        ("postgresql://u:{}@db/x?channel_binding=require", "channel_binding"),
        ("postgresql://u:{}@db/x?hostaddr={}", "hostaddr"),
        ("postgresql://u:{}@db/x?client_encoding=LATIN1", "client_encoding"),
        ("postgresql+asyncpg://u:{}@db/x?prepared_statement_cache_size=0", "CHAT_PGBOUNCER"),
    ],
)
def test_refused_database_urls_say_why_and_keep_the_secret(url: str, said: str) -> None:
    (problem,) = problems_of(database_url=url.replace("{}", SECRET))
    assert problem.startswith("DATABASE_URL: ")
    assert said in problem
    assert SECRET not in problem


def test_behind_pgbouncer_only_what_a_pooler_takes() -> None:
    fine = "postgresql://db?sslmode=disable&application_name=x&target_session_attrs=any&connect_timeout=3"
    Settings(pgbouncer=True, database_url=fine)
    (problem,) = problems_of(pgbouncer=True, database_schema="chat")
    assert "CHAT_DATABASE_SCHEMA" in problem
    assert "CHAT_PGBOUNCER" in problem
    for option in ("options=-csearch_path%3Dx", "statement_timeout=5s"):
        Settings(database_url=f"{fine}&{option}")
        assert "CHAT_PGBOUNCER" in problems_of(pgbouncer=True, database_url=f"{fine}&{option}")[0]


def test_without_an_address_there_is_no_dsn() -> None:
    with pytest.raises(SettingsError, match=r"^DATABASE_URL: is not set"):
        _ = Settings().database_dsn


# ---- REDIS_URL


@pytest.mark.parametrize(
    ("url", "understood"),
    [
        ("redis://cache", {"host": "cache"}),
        ("redis://:p%40ss@cache:7/3", {"host": "cache", "port": 7, "db": 3, "password": "p@ss"}),
        ("rediss://ann@cache", {"host": "cache", "username": "ann"}),
        ("redis://[::1]:7?db=3", {"host": "::1", "port": 7, "db": 3}),
        ("unix://:pw@/run/redis.sock?db=2", {"path": "/run/redis.sock", "db": 2, "password": "pw"}),
    ],
)
def test_redis_addresses(url: str, understood: dict[str, Any]) -> None:
    settings = Settings(redis_url=url)
    assert settings.redis_url is not None
    view = parse_url(settings.redis_url.get_secret_value())
    assert {name: value for name, value in view.items() if name != "connection_class"} == understood


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://:{}@cache", "redis://, rediss:// or unix://"),
        ("{}", "redis://, rediss:// or unix://"),
        ("redis://:{}@/0", "name a host"),
        ("redis://:{}@cache:0", "the port"),
        ("redis://:{}@cache:99999", "the port"),
        ("redis://:{}/ss@cache", "the port"),
        ("redis://:{}#ss@cache", "%23"),
        ("redis://:{}@ss@cache", "%40"),
        # redis-py would quietly use database 0.
        ("redis://:{}@cache/talk", "whole number"),
        ("redis://:{}@cache?db=-1", "whole number"),
        ("unix://:{}@", "name a socket"),
    ],
)
def test_refused_redis_urls_say_why_and_keep_the_secret(url: str, said: str) -> None:
    (problem,) = problems_of(redis_url=url.replace("{}", SECRET))
    assert problem.startswith("REDIS_URL: ")
    assert said in problem
    assert SECRET not in problem


# ---- secrets


def test_secrets_are_in_no_representation(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(
        database_url=f"postgresql://u:{SECRET}@db",
        redis_url=f"redis://:{SECRET}@cache",
        secret_key=SECRET + KEY,
    )
    caplog.set_level(logging.DEBUG)
    logging.getLogger("test").warning("%s %r %s", settings, settings, {"settings": settings})
    shown = [
        repr(settings),
        str(settings),
        settings.model_dump_json(),
        str(settings.model_dump()),
        caplog.text,
    ]
    assert not [text for text in shown if SECRET in text]
    assert SECRET in settings.database_dsn


def test_a_secret_in_the_wrong_place_is_not_repeated_nor_chained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in (
        "CHAT_POOL_SIZE",
        "CHAT_ENV",
        "CHAT_DATABASE_SCHEMA",
        "DATABASE_URL",
        "REDIS_PORT",
        "SECRET_KEY",
    ):
        monkeypatch.setenv(name, SECRET)
    (tmp_path / ".env").write_text(f"CHAT_ADAPTERS={SECRET}\n")
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert len(caught.value.problems) == 7
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    # A log handler that follows causes by itself must not find the pydantic error: it has the values.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    with pytest.raises(SettingsError) as caught:
        Settings(database_url=SECRET)
    assert caught.value.__context__ is None


def test_passwords_that_disagree_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", SECRET)
    monkeypatch.setenv("POSTGRES_PASSWORD", SECRET + "2")
    with pytest.raises(SettingsError, match=r"^DB_PASSWORD and POSTGRES_PASSWORD: ") as caught:
        Settings.load()
    assert SECRET not in str(caught.value)


def test_a_file_that_is_not_utf8_is_told_without_its_content(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"SECRET_KEY=" + SECRET.encode() + b"\xff\n")
    with pytest.raises(SettingsError, match=r"^\.env") as caught:
        Settings.load()
    assert caught.value.__context__ is None


@pytest.mark.skipif(os.name == "nt", reason="there the environment is Unicode")
def test_a_part_that_is_not_utf8_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "p\udcff")
    with pytest.raises(SettingsError, match=r"^DB_PASSWORD: must be UTF-8 text$"):
        Settings.load()


async def test_a_real_driver_takes_the_form() -> None:
    """Connecting to a port nobody listens on gets as far as the socket, not stuck in the address."""
    url = "postgresql+asyncpg://u:p%40@127.0.0.1:1/talk?application_name=x&connect_timeout=5"
    with pytest.raises(OSError, match=r"127\.0\.0\.1"):
        await asyncpg.connect(Settings(database_url=url).database_dsn, timeout=5)
