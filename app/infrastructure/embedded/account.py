"""As whom a server runs. PostgreSQL refuses to run as root, so root lends it an account that owns nothing else."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.infrastructure.embedded.errors import EngineUnavailable

UNPRIVILEGED = "nobody"

# Survives a reboot, as /tmp may not, and every account can walk into it.
OUTSIDE = Path("/var/tmp")  # noqa: S108 - what is put there is owned by us and checked before use


@dataclass(frozen=True, slots=True)
class Account:
    """The user a server runs as; ``lent`` when that is not the user who starts it."""

    uid: int
    gid: int
    lent: bool

    @classmethod
    def for_home(cls, home: Path) -> Account:
        """Ourselves, or for root the present owner of ``home``, or ``nobody`` when there is none yet.

        The owner wins because PostgreSQL insists that its data belong to the user it runs as: root can so go on with
        the folder of a developer.

        Raises:
            EngineUnavailable: we are root and the system has no unprivileged account.
        """
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), lent=False)
        with suppress(FileNotFoundError):
            owner = home.stat()
            if owner.st_uid != 0:
                return cls(owner.st_uid, owner.st_gid, lent=True)
        try:
            entry = pwd.getpwnam(UNPRIVILEGED)
        except KeyError:
            raise EngineUnavailable(
                f"a server cannot run as root and this system has no account {UNPRIVILEGED!r}: start as another user"
            ) from None
        return cls(entry.pw_uid, entry.pw_gid, lent=True)

    def run(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path,
        input: bytes | None = None,
        stdin: int | None = None,
        output: int = subprocess.PIPE,
        pass_fds: Sequence[int] = (),
        new_session: bool = False,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command as this account, with its error stream joined to its output."""
        return subprocess.run(  # noqa: S603 - a list of our own making, no shell reads it
            [str(part) for part in command],
            input=input,
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            # Nothing of the caller's PG* variables may steer the server; the library path may be how it loads.
            env={name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ},
            pass_fds=pass_fds,
            start_new_session=new_session,
            user=self.uid if self.lent else None,
            group=self.gid if self.lent else None,
            extra_groups=() if self.lent else None,
            check=False,
        )

    def reaches(self, path: Path) -> bool:
        """Whether the account can read and execute (or enter) ``path``; asked of the system, so ACLs count too."""
        if not self.lent:
            return os.access(path, os.R_OK | os.X_OK)
        asked = self.run(["/bin/sh", "-c", '[ -r "$1" ] && [ -x "$1" ]', "sh", path], cwd=Path("/"))
        return asked.returncode == 0

    def own(self, path: Path) -> None:
        """Make ``path`` the account's, and nobody else's to read."""
        path.chmod(0o700 if path.is_dir() else 0o600)
        if self.lent:
            os.chown(path, self.uid, self.gid)


def home_of(folder: Path) -> Path:
    """Where the files live that the server itself writes: inside ``folder``, unless its account cannot get there.

    A project below ``/root`` is closed to every other account. Opening the folders above it to everyone is not ours to
    do, so then the files stand outside, under a name derived from the folder.
    """
    inside = folder / "home"
    if inside.exists() or Account.for_home(inside).reaches(folder):
        return inside
    return OUTSIDE / f"chatcore-{folder.name}-{_digest(folder)}"


def make_home(home: Path, account: Account) -> None:
    """Create ``home`` if needed, owned by ``account``.

    Raises:
        EngineUnavailable: somebody else owns it.
    """
    try:
        home.mkdir(mode=0o700)
    except FileExistsError:
        owner = home.lstat().st_uid
        if owner not in {account.uid, os.geteuid()} or home.is_symlink():
            raise EngineUnavailable(f"{home} belongs to user {owner}: remove it or start as that user") from None
    account.own(home)


def readable_copy(tree: Path, beside: Path | None, account: Account, proof: Path) -> Path:
    """``tree`` itself, or a copy outside when ``account`` cannot reach ``proof`` (a file in it).

    ``beside`` is a folder next to the tree that holds its shared libraries; it is copied to the same relative place.

    Raises:
        EngineUnavailable: the place for the copy belongs to somebody else.
    """
    if account.reaches(proof):
        return tree
    changed = proof.stat().st_mtime_ns
    copy = OUTSIDE / f"chatcore-engine-{_digest(proof)}-{changed:x}"
    if not copy.exists():
        making = OUTSIDE / f"{copy.name}.{os.getpid()}"
        making.mkdir(mode=0o755)
        shutil.copytree(tree, making / tree.name, symlinks=True, ignore=shutil.ignore_patterns("include", "doc"))
        if beside is not None and beside.exists():
            shutil.copytree(beside, making / beside.name, symlinks=True)
        making.chmod(0o755)
        try:
            making.rename(copy)
        except OSError:  # another process was first
            shutil.rmtree(making)
    found = copy.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise EngineUnavailable(f"{copy} is not ours: remove it")
    return copy / tree.name


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
