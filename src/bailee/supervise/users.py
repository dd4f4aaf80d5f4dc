"""Users of their own for admin and public, where the system lets the supervisor set them."""

import grp
import os
import pwd
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bailee.config import Settings
from bailee.errors import StartRefused

TRIAL_SECONDS = 30.0
_JOURNAL_ROLES = ("admin",)
"""Which of the roles with users of their own write events into the journal."""
_TRIAL = """
import importlib, os, sqlite3, sys
_, module, config, database, journal = sys.argv
step = "code"
try:
    importlib.import_module(module)
    step = "config"
    open(config).close()
    step = "database"
    connection = sqlite3.connect("file:" + database + "?mode=rw", uri=True, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("ROLLBACK")
    connection.close()
    step = "journal"
    if journal and not os.access(journal, os.W_OK | os.X_OK):
        raise PermissionError("permission denied")
except Exception as error:
    print(step, type(error).__name__, error)
    sys.exit(9)
"""


@dataclass(frozen=True, slots=True)
class RoleUser:
    """Whom a role runs as. It has no groups besides `gid`."""

    uid: int
    gid: int


def role_users(settings: Settings) -> dict[str, RoleUser]:
    """Find the users of admin and public.

    Returns:
        Role -> user; empty where the roles share the supervisor's user, because `[users]` is empty
        or because only root can start processes as others.

    Raises:
        StartRefused: A user or the group does not exist.
    """
    users = settings.users
    if not users.apart or os.geteuid() != 0:
        return {}
    gid = _number(users.group, "users.group")
    return {
        "admin": RoleUser(_number(users.admin, "users.admin"), gid),
        "public": RoleUser(_number(users.public, "users.public"), gid),
    }


def hold_database(path: Path) -> sqlite3.Connection:
    """Open the database and keep its -wal and -shm files in being.

    SQLite makes them with the owner and mode of the database, and removes them with the last
    connection. While this one is open, users who may not write to the directory (and so can't put
    another root key or configuration there) can use the database. The caller closes it.

    Raises:
        StartRefused: There is no database.
    """
    try:
        connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, check_same_thread=False)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise StartRefused(
            f"the database {path} can't be opened: {error}", "make one with `bailee init`"
        ) from error
    return connection


def try_user(role: str, user: RoleUser, module: str, settings: Settings) -> None:
    """Let a process of that user import the role's code and use database and journal, as it will.

    Raises:
        StartRefused: It can't; the hint says what to chmod or chown.
    """
    command = [sys.executable, "-P", "-c", _TRIAL, module]
    command += [str(settings.path), str(settings.store.path)]
    command.append(str(settings.journal.directory) if role in _JOURNAL_ROLES else "")
    try:
        tried = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TRIAL_SECONDS,
            check=False,
            user=user.uid,
            group=user.gid,
            extra_groups=[],
        )
    except PermissionError:
        raise _refusal(role, user, "code", "the interpreter can't be started", settings) from None
    except subprocess.TimeoutExpired:
        raise StartRefused(f"the trial of the {role} role's user took too long") from None
    if tried.returncode == 0:
        return
    step, _, said = tried.stdout.strip().partition(" ")
    if tried.returncode != 9:
        step, said = "code", (tried.stderr.strip().splitlines() or ["it failed at once"])[-1]
    raise _refusal(role, user, step, said, settings)


def _number(name: str, setting: str) -> int:
    try:
        if name.isdigit():
            return int(name)
        if setting == "users.group":
            return grp.getgrnam(name).gr_gid
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        command = "groupadd" if setting == "users.group" else "useradd"
        raise StartRefused(
            f"{setting}: there is no {name} on this machine", f"{command} --system {name}"
        ) from None


def _refusal(role: str, user: RoleUser, step: str, said: str, settings: Settings) -> StartRefused:
    base, database, journal = settings.base, settings.store.path, settings.journal.directory
    closed = {
        "code": _first_closed((Path(sys.executable), Path(__file__)), user),
        "config": _first_closed((settings.path,), user),
        "database": _first_closed((database,), user),
        "journal": _first_closed((journal,), user),
    }[step]
    share = f"chgrp {user.gid} {base} {settings.path} {database}* && chmod 0750 {base}"
    hint = {
        "code": "install bailee and its Python where every user can read them, as in /opt",
        "config": f"{share} && chmod 0640 {settings.path}",
        "database": f"{share} && chmod 0660 {database}*",
        # Sticky: who may add files may not remove those of others.
        "journal": f"chgrp {user.gid} {journal} && chmod 1770 {journal}",
    }[step]
    if closed is not None and closed not in (base, settings.path):
        hint = f"chmod o+x {closed}, or: {hint}"
    what = {
        "code": "run the code",
        "config": "read the config",
        "database": "open the database",
        "journal": "write the journal",
    }
    return StartRefused(
        f"user {user.uid} with group {user.gid} ({role}) can't {what[step]}: {said}", hint
    )


def _first_closed(paths: tuple[Path, ...], user: RoleUser) -> Path | None:
    """The topmost directory above any of the paths that the user can't enter."""
    for path in paths:
        for directory in reversed(path.parents):
            status = directory.stat()
            shift = 6 if status.st_uid == user.uid else 3 if status.st_gid == user.gid else 0
            if not status.st_mode >> shift & 1:
                return directory
    return None
