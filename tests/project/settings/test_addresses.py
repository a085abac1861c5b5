"""Addresses of servers: as URLs, in parts, and as the drivers see them in the end."""

from pathlib import Path
from typing import Any

import pytest
from redis.asyncio.connection import parse_url

from app.settings import DATABASE_PARTS, Settings, SettingsError
from tests.project.settings.scene import SECRET, driver_view, problems_of

pytestmark = pytest.mark.spec("6.1")

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
