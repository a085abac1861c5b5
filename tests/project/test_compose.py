"""docker-compose.yml and .env.example: what they promise, and that both speak of the same variables."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from dotenv import dotenv_values

from app.settings import DATABASE_PARTS, REDIS_PARTS, Settings, SettingsError, variable_of

ROOT: Final = Path(__file__).resolve().parents[2]
COMPOSE_TEXT: Final = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: Final[dict[str, Any]] = yaml.safe_load(COMPOSE_TEXT)
EXAMPLE: Final = dotenv_values(ROOT / ".env.example")
SERVICES: Final = ("postgres", "redis")
KNOWN: Final = {variable_of(name) for name in Settings.model_fields} | {
    name for parts in (DATABASE_PARTS, REDIS_PARTS) for names in parts.values() for name in names
}
# `$$` is a literal dollar; otherwise name, then what follows it: `:-default` or `:?message`.
VARIABLE: Final = re.compile(r"\$\$|\$\{([A-Z_]+)(?::([-?])([^}]*))?\}|\$([A-Za-z_{]\w*)")


def uses() -> list[tuple[str, str, str]]:
    lines = [line for line in COMPOSE_TEXT.splitlines() if not line.lstrip().startswith("#")]
    found = [match for match in VARIABLE.finditer("\n".join(lines)) if match[0] != "$$"]
    assert not [match[0] for match in found if match[4]], "write ${NAME:-default} or ${NAME:?message}"
    return [(match[1], match[2] or "", match[3] or "") for match in found]


def test_both_servers_are_there() -> None:
    assert set(COMPOSE["services"]) == set(SERVICES)
    assert COMPOSE["services"]["postgres"]["image"] == "postgres:18"
    assert re.fullmatch(r"redis:[78]|valkey/valkey:[89]", COMPOSE["services"]["redis"]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_only(name: str) -> None:
    ports = COMPOSE["services"][name]["ports"]
    assert len(ports) == 1
    assert all(isinstance(port, str) and port.startswith("127.0.0.1:") for port in ports)
    assert ports[0].endswith({"postgres": ":5432", "redis": ":6379"}[name])
    assert COMPOSE["services"][name].get("network_mode") is None


@pytest.mark.parametrize(("name", "path"), [("postgres", "/var/lib/postgresql"), ("redis", "/data")])
def test_data_is_on_a_declared_named_volume(name: str, path: str) -> None:
    ((volume, _, target),) = (entry.partition(":") for entry in COMPOSE["services"][name]["volumes"])
    assert target == path
    assert volume in COMPOSE["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_servers_are_on_the_declared_network(name: str) -> None:
    assert COMPOSE["services"][name]["networks"]
    assert set(COMPOSE["services"][name]["networks"]) <= set(COMPOSE["networks"])


@pytest.mark.parametrize("name", SERVICES)
def test_health_is_checked(name: str) -> None:
    check = COMPOSE["services"][name]["healthcheck"]
    assert {"test", "interval", "timeout", "retries", "start_period"} <= set(check)
    kind, command = check["test"]
    assert kind == "CMD-SHELL"
    # redis-cli exits with 0 on a refused password; pg_isready over the socket is true during initialisation.
    assert {"postgres": "pg_isready -h 127.0.0.1", "redis": "redis-cli ping | grep -q PONG"}[name] in command


def test_redis_keeps_an_append_only_file_and_asks_for_a_password() -> None:
    command = COMPOSE["services"]["redis"]["command"]
    assert all(isinstance(word, str) for word in command), "a bare yes is a boolean in YAML"
    flags = dict(zip(command[1::2], command[2::2], strict=True))
    assert flags["--appendonly"] == "yes"
    assert flags["--requirepass"].startswith("${REDIS_PASSWORD:?")


def test_no_secret_has_a_default() -> None:
    """An empty password must stop compose, not start a server that lets anybody in."""
    secret = [use for use in uses() if "PASSWORD" in use[0]]
    assert {name for name, _, _ in secret} == {"POSTGRES_PASSWORD", "REDIS_PASSWORD"}
    assert {operator for _, operator, _ in secret} == {"?"}


def test_variables_of_compose_are_in_the_example_with_the_same_defaults() -> None:
    assert uses()
    for name, operator, default in uses():
        assert name in EXAMPLE, f"{name} is missing from .env.example"
        if operator == "-":
            assert EXAMPLE[name] == default, name


def test_each_variable_of_the_example_is_one_that_settings_read() -> None:
    assert set(EXAMPLE) <= KNOWN


def copied(monkeypatch: pytest.MonkeyPatch, folder: Path, changes: dict[str, str]) -> None:
    """The example as `.env` of an otherwise empty folder and environment."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    for name, value in changes.items():
        text, found = re.subn(rf"(?m)^{name}=.*$", f"{name}='{value}'", text)
        assert found == 1
    (folder / ".env").write_text(text, encoding="utf-8")
    for name in KNOWN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(folder)


def test_the_example_untouched_says_that_the_key_is_a_placeholder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copied(monkeypatch, tmp_path, {})
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    (problem,) = caught.value.problems
    assert problem.startswith("SECRET_KEY: is still the placeholder of .env.example")


def test_the_example_with_its_three_secrets_is_complete(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secrets = {"SECRET_KEY": "s" * 43, "POSTGRES_PASSWORD": "p$ w#1", "REDIS_PASSWORD": "r/2"}
    copied(monkeypatch, tmp_path, secrets)
    settings = Settings.load()
    assert settings.database_dsn == "postgresql://chat:p%24%20w%231@127.0.0.1:5432/chatdb"
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "redis://:r%2F2@127.0.0.1:6379/0"
    assert settings.environment == "development"
    # It would do for production too: nothing else is missing.
    Settings.load(environment="production")
