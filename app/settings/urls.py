"""Reading the addresses of PostgreSQL and Redis.

Every function here raises ValueError with a text that can be shown as it is: it names what is wrong and what
is allowed, and never repeats a piece of the address, because a password with an unescaped `@`, `/`, `:` or
`?` can end up in any piece of it. The two exceptions are the scheme and the names of options known here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, unquote_plus, urlsplit

DEFAULT_DATABASE: Final = "chatdb"
DEFAULT_HOST: Final = "localhost"
PORT_RANGE: Final = "a whole number from 1 to 65535"

_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_SESSION_ATTRIBUTES: Final = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")

# What asyncpg takes from the query of its DSN. It sends every other name to the server as a run-time
# parameter.
_READ_BY_ASYNCPG: Final = frozenset(
    {
        "krbsrvname",
        "gsslib",
        "passfile",
        "service",
        "ssl_max_protocol_version",
        "ssl_min_protocol_version",
        "sslcert",
        "sslcrl",
        "sslkey",
        "sslmode",
        "sslnegotiation",
        "sslpassword",
        "sslrootcert",
        "target_session_attrs",
    }
)
# libpq options that asyncpg would pass on to a server which then refuses the connection. They are left out
# when they ask for no more than asyncpg does anyway (None: any value, they only tune a socket) and refused
# otherwise, because an option that is silently without effect is worse than an error, most of all one about
# security.
_LEFT_OUT: Final[Mapping[str, frozenset[str] | None]] = {
    "channel_binding": frozenset({"disable", "prefer"}),
    "client_encoding": frozenset({"auto", "utf8", "utf-8"}),
    "gssencmode": frozenset({"disable", "prefer"}),
    "hostaddr": frozenset(),
    "keepalives": None,
    "keepalives_count": None,
    "keepalives_idle": None,
    "keepalives_interval": None,
    "load_balance_hosts": frozenset({"disable"}),
    "replication": frozenset({"0", "false", "no", "off"}),
    "require_auth": frozenset(),
    "requirepeer": frozenset(),
    "sslcertmode": frozenset({"allow"}),
    "sslcompression": frozenset({"0"}),
    "sslsni": frozenset({"1"}),
    "tcp_user_timeout": None,
}
# Options that SQLAlchemy or asyncpg take elsewhere, and the setting that stands for each here.
_HAVE_A_SETTING: Final[Mapping[str, str]] = {
    "command_timeout": "CHAT_COMMAND_TIMEOUT_SECONDS",
    "prepared_statement_cache_size": "CHAT_PGBOUNCER",
    "prepared_statement_name_func": "CHAT_PGBOUNCER",
    "statement_cache_size": "CHAT_PGBOUNCER",
    "timeout": "CHAT_CONNECT_TIMEOUT_SECONDS",
}


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A PostgreSQL address, taken apart and unescaped.

    `hosts` are (host or socket folder, port or None) pairs in the order to try; none means the driver's own
    search. `options` are what goes on to the driver; `connect_timeout` (whole seconds) is kept apart because
    asyncpg has no such option in its DSN. `__str__` gives the libpq form, password included, so the repr
    shows only the shape.
    """

    hosts: tuple[tuple[str, int | None], ...] = ()
    database: str | None = DEFAULT_DATABASE
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    connect_timeout: int | None = None

    def __str__(self) -> str:
        # Everything is escaped, the colons of an IPv6 address and the slashes of a socket folder too: then
        # hosts of all kinds stand in one list, which brackets do not allow (urlsplit refuses them behind
        # another host).
        login = "" if self.user is None else _escape(self.user)
        if self.password is not None:
            login += ":" + _escape(self.password)
        hosts = ",".join(_escape(host) + (f":{port}" if port else "") for host, port in self.hosts)
        path = "" if self.database is None else "/" + _escape(self.database)
        query = "&".join(f"{_escape(name)}={_escape(value)}" for name, value in self.options.items())
        return f"postgresql://{login + '@' if login else ''}{hosts}{path}{'?' + query if query else ''}"

    @property
    def has_startup_parameters(self) -> bool:
        """Whether the options hold something for the server itself that a pooler refuses."""
        return any(name not in _READ_BY_ASYNCPG and name != "application_name" for name in self.options)


def read_database_url(url: str) -> DatabaseUrl:
    """Take apart `postgres://`, `postgresql://` or `postgresql+asyncpg://` as libpq would.

    An option (`host`, `port`, `dbname`, `user`, `password`) wins over the same thing in front of the `?`; a
    `+` in the query is a space only in the SQLAlchemy form, as in SQLAlchemy. No database means `chatdb`,
    except where a `service` file may name it. Raises ValueError, see the module.
    """
    scheme, mark, rest = url.strip().partition("://")
    if not mark or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        raise ValueError("must be a URL, postgresql://user:password@host:5432/database")
    family, _, driver = scheme.lower().partition("+")
    if family not in ("postgres", "postgresql"):
        raise ValueError(f"{scheme}:// is not PostgreSQL: write postgresql://")
    if driver not in ("", "asyncpg"):
        raise ValueError(f"the driver {driver} is not supported: write postgresql:// or postgresql+asyncpg://")

    authority, slash, path = rest.partition("/")
    if "@" not in authority:
        # No login in front, so a slash behind the first `?` belongs to an option (`?host=/run/postgresql`).
        front, _, query = rest.partition("?")
        login, (hostspec, _, database) = "", front.partition("/")
    else:
        login, _, hostspec = authority.partition("@")
        if "?" in hostspec:
            hostspec, _, query = (hostspec + slash + path).partition("?")
            database = ""
        else:
            database, _, query = path.partition("?")
    if "@" in hostspec:
        raise ValueError("an @ in the user or password must be written %40")
    if "@" in database:
        raise ValueError("a / in the password must be written %2F, an @ in the database %40")
    user, _, password = login.partition(":")

    options = _read_query(query, plus_is_space=bool(driver))
    host, port, timeout = (options.pop(name, None) for name in ("host", "port", "connect_timeout"))
    user, password = options.pop("user", _unescape(user)), options.pop("password", _unescape(password))
    database = options.pop("dbname", "") or options.pop("database", "") or _unescape(database)
    _check_options(options)
    return DatabaseUrl(
        hosts=_read_hosts(hostspec if host is None else host, port, escaped=host is None),
        database=database or (None if "service" in options else DEFAULT_DATABASE),
        user=user or None,
        password=password or None,
        options=options,
        connect_timeout=None if timeout is None else _whole(timeout, "connect_timeout", 1, 60, " seconds"),
    )


def database_url_of(
    *, host: str | None, port: str | None, database: str | None, user: str | None, password: str | None
) -> str:
    """The URL of an address in parts; the host may be a list, a socket folder, or IPv6 without brackets."""
    pairs = _read_hosts(host or DEFAULT_HOST, port, escaped=False)
    return str(DatabaseUrl(pairs, database or DEFAULT_DATABASE, user, password))


def check_redis_url(url: str) -> str:
    """The same address, once it is known that redis-py reads all of it: it skips what it cannot read.

    Takes `redis://`, `rediss://` (TLS) and `unix://`, with a database number as path (or `db=`). Raises
    ValueError.
    """
    url = url.strip()
    scheme = url.partition("://")[0].lower()
    if "://" not in url or scheme not in ("redis", "rediss", "unix"):
        raise ValueError("must begin with redis://, rediss:// or unix://")
    if "#" in url:
        raise ValueError("a # in the password must be written %23")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # Not chained: the original repeats the address.
        raise ValueError(f"the port must be {PORT_RANGE}, and :, /, ?, # or @ in the password be escaped") from None
    if parts.netloc.count("@") > 1:
        raise ValueError("an @ in the user or password must be written %40")
    if port == 0:
        raise ValueError(f"the port must be {PORT_RANGE}")
    database = dict(item.partition("=")[::2] for item in parts.query.split("&")).get("db", "0")
    if scheme == "unix":
        if not parts.path.strip("/"):
            raise ValueError("must name a socket, unix:///run/redis/redis.sock")
    else:
        if not parts.hostname:
            raise ValueError("must name a host, redis://host:6379/0")
        database = parts.path.strip("/") or database
    if not re.fullmatch(r"[0-9]{1,9}", database):
        raise ValueError("the database must be a whole number from 0, as in redis://host:6379/0")
    return url


def redis_url_of(*, host: str | None, port: str | None, password: str | None) -> str:
    """The URL for an address given in parts; the host may be a socket or IPv6 without brackets."""
    ((name, number),) = _read_hosts(host or DEFAULT_HOST, port, escaped=False, several=False)
    login = f":{_escape(password)}@" if password else ""
    if name.startswith("/"):
        return f"unix://{login}{quote(name)}"
    return f"redis://{login}{f'[{name}]' if ':' in name else name}:{number or 6379}/0"


def is_port(text: str) -> bool:
    """Whether the text is a port number."""
    return re.fullmatch(r"[0-9]{1,5}", text) is not None and 1 <= int(text) <= 65535


def _read_query(query: str, *, plus_is_space: bool) -> dict[str, str]:
    options: dict[str, str] = {}
    for item in filter(None, query.split("&")):
        name, equals, value = item.partition("=")
        if not equals:
            raise ValueError("each option behind the ? must be written name=value")
        name, value = _unescape(name), _unescape(value, plus_is_space=plus_is_space)
        if name in ("host", "port") and name in options:
            value = f"{options[name]},{value}"  # SQLAlchemy's way to give several hosts
        if value:
            options[name] = value
    # JDBC and SQLAlchemy say `ssl`; libpq reads ssl=true as sslmode=require too.
    if (ssl := options.pop("ssl", None)) is not None:
        options.setdefault("sslmode", {"true": "require", "false": "disable"}.get(ssl.lower(), ssl))
    if (name := options.pop("fallback_application_name", "")) != "":
        options.setdefault("application_name", name)
    return options


def _check_options(options: dict[str, str]) -> None:
    for name in sorted(options):
        if name in _HAVE_A_SETTING:
            raise ValueError(f"the option {name} is not read from the URL: set {_HAVE_A_SETTING[name]} instead")
        if name not in _LEFT_OUT:
            continue
        allowed = _LEFT_OUT[name]
        if allowed is not None and options[name].lower() not in allowed:
            only = f" (only {' or '.join(sorted(allowed))} can be kept)" if allowed else ""
            raise ValueError(f"the option {name} asks for what asyncpg cannot do: leave it out{only}")
        del options[name]
    for name, values in (("sslmode", _SSL_MODES), ("target_session_attrs", _SESSION_ATTRIBUTES)):
        if options.get(name, values[0]) not in values:
            raise ValueError(f"{name} must be one of {', '.join(values)}")
    if options.get("sslrootcert") == "system":
        raise ValueError("sslrootcert=system is not known to asyncpg: name the file of the root certificates")


def _read_hosts(
    hosts: str, ports: str | None, *, escaped: bool, several: bool = True
) -> tuple[tuple[str, int | None], ...]:
    if not hosts:
        # A port alone, as in postgresql:///chatdb?port=5433, is for the host that the driver would choose.
        return () if ports is None else ((DEFAULT_HOST, _port(ports)),)
    names = hosts.split(",")
    if len(names) > 1 and not several:
        raise ValueError("the host must be one host")
    numbers = ports.split(",") if ports else [""]
    if len(numbers) == 1:
        numbers *= len(names)
    if len(numbers) != len(names):
        raise ValueError("there must be one port for all hosts or one for each")
    pairs: list[tuple[str, int | None]] = []
    for name, number in zip(names, numbers, strict=True):
        bracketed = re.fullmatch(r"\[([^\[\]]+)\](?::([^:]*))?", name)
        if bracketed:
            name, own = bracketed[1], bracketed[2]
        elif name.startswith("/") or (not escaped and name.count(":") > 1):
            own = ""
        else:
            name, _, own = name.partition(":")
            if own and not name:
                name = DEFAULT_HOST
        if escaped:
            name = _unescape(name)
        if ":" in (own or "") or not re.fullmatch(r"/[^\s]+|[^\s/@:\[\]?#]+|[0-9A-Fa-f:.]+(%[^\s/@]+)?", name):
            raise ValueError("the host must be a name, an address (IPv6 in brackets), or a socket folder")
        chosen = number or own or ""
        pairs.append((name, _port(chosen) if chosen else None))
    return tuple(pairs)


def _port(text: str) -> int:
    return _whole(text, "the port", 1, 65535, "")


def _whole(text: str, what: str, least: int, most: int, unit: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise ValueError(f"{what} must be a whole number from {least} to {most}{unit}")
    return int(text)


def _escape(text: str) -> str:
    return quote(text, safe="")


def _unescape(text: str, *, plus_is_space: bool = False) -> str:
    try:
        # Strict, because a replacement character would quietly be another password.
        plain = (unquote_plus if plus_is_space else unquote)(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("a %-escape must be UTF-8") from None
    if "\0" in plain:
        raise ValueError("must not contain a NUL character")
    return plain


OBJECT_STORES: Final = ("s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss")


def check_blob_store_url(text: str) -> None:
    """Raises ValueError for an address no blob store has; what may be in it (a key, say) is not told."""
    scheme, _, rest = text.partition(":")
    if scheme == "memory":
        is_good = rest == ""
    elif scheme == "file":
        is_good = blob_folder(text) is not None
    else:
        is_good = scheme in OBJECT_STORES and rest.startswith("//") and bool(urlsplit(text).netloc)
        is_good = is_good and not (urlsplit(text).username or urlsplit(text).password or urlsplit(text).query)
    if not is_good or not text.isprintable():
        raise ValueError("must be memory:, file:///folder, or the address of a bucket such as s3://bucket/prefix")


def blob_folder(text: str) -> Path | None:
    """The folder of a `file:` address: absolute after three slashes, else below the current one; None for any other."""
    scheme, _, rest = text.partition(":")
    if scheme != "file" or "\x00" in rest:
        return None
    if rest.startswith("//"):
        rest = rest[2:]
        if not rest.startswith("/"):  # another host's
            return None
    return Path(unquote(rest)) if rest.strip("/") else None
