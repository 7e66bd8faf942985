"""From one hub to another: accounts, and homes as streams. Never the database file.

Run in each hub's container by `make graduate`: `python3 -m hubkit.graduation folders`, `beside`,
`export`, `import`, `claims`, and for a home `inventory FOLDER`, `pack FOLDER`, `unpack FOLDER`. In
a cluster the last three run in a pod that has a claim of homes, for the hub's own has none. There a
home may have a claim of its own: its folder is `.`, all of the claim.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import stat
import sys
import tarfile
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from . import names
from .folders import GROUPS, HOMES, SHARED, STATE
from .volumes import SENTINEL

if TYPE_CHECKING:  # of the hub; a pod that only has homes needs none of it
    from .login.roster import Roster
    from .login.subjects import Subjects
    from .login.taken import Taken

Told = dict[str, Any]
_CHUNK = 1024**2
_ALL = "."
# At the top of a claim, and no user's: what a file system has, and a copy that isn't done yet.
_COPYING, _COPIED = ".graduating", ".graduated"
_PARTIAL = ".graduating-"  # no user's folder can be called so
_NO_USERS = {"lost+found", _COPYING, _COPIED}


class Refused(Exception):
    """What can't be moved. Its text says why and what to do."""


def folders(people: Iterable[str]) -> dict[str, str]:
    """The folder of everybody's files: the same on every hub whose homes are on one volume."""
    return {name: names.escaped(name) for name in sorted(set(people))}


def beside(homes: Path = HOMES, shared: Path = SHARED) -> dict[str, dict[str, str]]:
    """What lies beside homes on a Docker host: folders of groups and of `shared/`, by their names
    in a home."""
    groups = {f"group-{path.name}": _place(path, homes) for path in _folders(homes / GROUPS)}
    return groups | {f"shared/{path.name}": _place(path, shared) for path in _folders(shared)}


def _folders(inside: Path) -> list[Path]:
    found = sorted(inside.iterdir()) if inside.is_dir() else []
    ours = [path for path in found if path.name in _NO_USERS or path.name.startswith(_PARTIAL)]
    return [p for p in found if p not in ours and p.is_dir() and not p.is_symlink()]


def _place(folder: Path, volume: Path) -> dict[str, str]:
    status = folder.stat()
    return {
        "folder": str(folder.relative_to(volume)),
        "volume": str(volume),
        "owner": f"{status.st_uid}:{status.st_gid}",
        "rights": oct(stat.S_IMODE(status.st_mode))[2:],
    }


# Homes


@dataclass(frozen=True)
class _Entry:
    """Something in a home: a folder, a file that is open, or a symlink that nobody followed."""

    path: str
    status: os.stat_result
    target: str | None = None
    content: BufferedReader | None = None


def _entries(home: Path, is_claim: bool) -> Iterator[_Entry]:
    """All of a home, in an order that is the same everywhere.

    Its user may change it meanwhile, and whoever reads is root: everything is opened inside of a
    folder that is open, and no symlink is followed. What is no file, folder or symlink stays.
    """
    for folder, folders, files, here in os.fwalk(home, follow_symlinks=False):
        if is_claim and folder == str(home):
            folders[:] = [name for name in folders if name not in _NO_USERS]
        folders.sort()
        for name in sorted([*folders, *files]):
            path = os.path.relpath(os.path.join(folder, name), home)
            status = os.stat(name, dir_fd=here, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                yield _Entry(path, status, target=os.readlink(name, dir_fd=here))
            elif stat.S_ISDIR(status.st_mode):
                yield _Entry(path, status)
            elif stat.S_ISREG(status.st_mode):
                opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
                with os.fdopen(opened, "rb") as content:
                    yield _Entry(path, os.fstat(opened), content=content)


def inventory(home: Path, is_claim: bool = False) -> dict[str, Any]:
    """How much is in a home, and a checksum over all of it: names, rights, owners, contents."""
    count = size = 0
    digest = hashlib.sha256()
    for entry in _entries(home, is_claim):
        status = entry.status
        rights = "-" if entry.target else oct(stat.S_IMODE(status.st_mode))
        line = f"{entry.path}\0{rights}\0{status.st_uid}:{status.st_gid}\0{entry.target}\0"
        digest.update(line.encode(errors="surrogateescape"))
        if entry.content:
            digest.update(hashlib.file_digest(entry.content, "sha256").digest())
            count, size = count + 1, size + status.st_size
    return {"files": count, "bytes": size, "checksum": digest.hexdigest()}


def pack(home: Path, out: IO[bytes], is_claim: bool = False) -> None:
    """Writes a home as a tar archive."""
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for entry in _entries(home, is_claim):
            member = tarfile.TarInfo(entry.path)
            member.mode = stat.S_IMODE(entry.status.st_mode)
            member.uid, member.gid = entry.status.st_uid, entry.status.st_gid
            member.mtime = entry.status.st_mtime
            if entry.target is not None:
                member.type, member.linkname = tarfile.SYMTYPE, entry.target
            elif entry.content is None:
                member.type = tarfile.DIRTYPE
            else:
                member.size = entry.status.st_size
            archive.addfile(member, entry.content)


def there_is(home: Path, is_claim: bool = False) -> bool:
    """Whether there is a home. A claim is there before its user's files are."""
    if is_claim:
        return any(name not in _NO_USERS for name in os.listdir(home))
    return home.is_dir()


def unpack(
    homes: Path, folder: str, given: IO[bytes], owner: tuple[int, int], mode: int = 0o700
) -> None:
    """Reads a home from a tar archive. It appears whole or not at all; one that is there stays."""
    home = homes / folder
    if home.exists():
        raise Refused(_THERE.format(folder))
    if home.parent.name == GROUPS:
        home.parent.mkdir(0o711, exist_ok=True)
    partial = home.with_name(f"{_PARTIAL}{home.name}")
    _fill(partial, given)
    os.chown(partial, *owner)
    os.chmod(partial, mode)
    os.rename(partial, home)


_THERE = "{} is on the new hub already, with other files: it was not touched."


def unpack_claim(home: Path, given: IO[bytes], owner: tuple[int, int]) -> None:
    """The same into a claim of a user's own. Its top can't be renamed: all in it is moved up last.

    A run that was killed at that has left a copy that is whole: the next one goes on with it.
    """
    whole = home / _COPIED
    if whole.exists():
        while given.read(_CHUNK):  # who sends it knows nothing of this
            pass
    elif there_is(home, is_claim=True):
        raise Refused(_THERE.format("The home"))
    else:
        _fill(home / _COPYING, given)
        os.rename(home / _COPYING, whole)
    for name in sorted(os.listdir(whole)):
        if os.path.lexists(home / name):
            raise Refused(f"{name} came to be on the new hub meanwhile: it was not touched.")
        os.rename(whole / name, home / name)
    os.chown(home, *owner)
    whole.rmdir()


def _fill(partial: Path, given: IO[bytes]) -> None:
    """A new folder with all of an archive; what a killed run left there is made anew."""
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(0o700)
    folders = []
    with tarfile.open(fileobj=given, mode="r|") as archive:
        for member in archive:
            _extract(member, archive, partial)
            if member.isdir():
                folders.append(member)
    for member in reversed(folders):  # at last: a folder may be one that nobody may write into
        _finish(member, partial / member.name)


def _extract(member: tarfile.TarInfo, archive: tarfile.TarFile, into: Path) -> None:
    """One thing of an archive of `pack`, whose folders come before what is in them."""
    if member.name.startswith("/") or ".." in member.name.split("/"):
        raise Refused(f"{member.name} would be outside of the home.")
    path = into / member.name
    if path.parent.resolve() != into.resolve() / Path(member.name).parent:
        raise Refused(f"{member.name} would be behind a symlink.")
    if member.isdir():
        path.mkdir(0o700)
    elif member.issym():
        path.symlink_to(member.linkname)
        os.lchown(path, member.uid, member.gid)
    else:
        content = archive.extractfile(member)
        assert content is not None
        with path.open("xb") as out:
            shutil.copyfileobj(content, out, _CHUNK)
        _finish(member, path)


def _finish(member: tarfile.TarInfo, path: Path) -> None:
    os.chown(path, member.uid, member.gid)
    os.chmod(path, member.mode)
    os.utime(path, (member.mtime, member.mtime))


# Accounts


def export(db: Any, roster: Roster, provider: str | None, subjects: dict[str, str]) -> Told:
    """Who is here: users, groups with their members, who may come in, and chosen passwords.

    Not who is an admin: that the new hub's stack file says.

    Args:
        provider: what told the ids of accounts (`subjects`), which mean nothing to another one.
    """
    from jupyterhub import orm

    return {
        "users": sorted(user.name for user in db.query(orm.User)),
        "groups": {
            group.name: sorted(user.name for user in group.users) for group in db.query(orm.Group)
        },
        "roster": sorted(roster.names()),
        "removed": sorted(roster.removed()),
        "passwords": _passwords(db),
        "provider": provider,
        "subjects": subjects,
    }


def _passwords(db: Any) -> dict[str, dict[str, Any]]:
    """Hashes of the passwords that people chose, and whether they were let in.

    First ones are printed by the new hub.
    """
    from nativeauthenticator.orm import UserInfo
    from sqlalchemy import inspect

    from .login.passwords import is_first

    if not inspect(db.get_bind()).has_table(UserInfo.__tablename__):
        return {}
    return {
        info.username: {
            "hash": b64encode(bytes(info.password)).decode(),
            "let_in": bool(info.is_authorized),
        }
        for info in UserInfo.all_users(db)
        if not is_first(info)
    }


def take(db: Any, told: Told, roster: Roster) -> None:
    """Brings users, groups, roster and passwords into this hub; what is here stays as it is."""
    from jupyterhub import orm, roles
    from nativeauthenticator.orm import UserInfo

    here = {name for (name,) in db.query(orm.User.name)}
    _take_roster(told, roster, here)
    for name in set(told["users"]) - here:
        user = orm.User(name=name)
        db.add(user)
        # As for whom an admin adds: their servers may be started before they log in.
        roles.assign_default_roles(db, entity=user)
    db.commit()
    for name, members in told["groups"].items():
        group = orm.Group.find(db, name) or orm.Group(name=name)
        db.add(group)
        found = (orm.User.find(db, member) for member in members)
        group.users.extend(user for user in found if user and user not in group.users)
    for name, known in told["passwords"].items():
        if UserInfo.find(db, name) is None:
            password = b64decode(known["hash"])
            db.add(UserInfo(username=name, password=password, is_authorized=known["let_in"]))
    db.commit()


def _take_roster(told: Told, roster: Roster, here: set[str]) -> None:
    """Once for each name: what was changed here since is the new hub's."""
    for name in set(told["roster"]) - set(roster.names()) - roster.removed():
        roster.add(name)
    for name in set(told["removed"]) - here:
        roster.remove(name)


def take_subjects(told: Told, provider: str | None, subjects: Subjects, taken: Taken) -> None:
    """Whose each name is. Who is known by no id here gets name and files by the first login."""
    known = told["subjects"] if told["provider"] == provider else {}
    subjects.take(known)
    for name in set(told["users"]) - subjects.known().keys():
        taken.give(name)


# The command line


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hubkit.graduation", description=__doc__)
    parser.add_argument("--homes", type=Path, default=HOMES)
    parser.add_argument("--claim", action="store_true", help="homes are a claim: nothing marks it")
    commands = parser.add_subparsers(dest="command", required=True)
    for command, text in (
        ("folders", "everybody's folder, as JSON"),
        ("claims", "in a cluster, where the homes are of those named on standard input, as JSON"),
        ("beside", "folders of groups and of shared/, as JSON"),
        ("export", "accounts as JSON"),
        ("import", "takes accounts as JSON"),
    ):
        commands.add_parser(command, help=text)
    for command, text in (
        ("inventory", "what is in a home, as JSON; null for none"),
        ("pack", "a home as a tar archive"),
        ("unpack", "takes a home as a tar archive"),
    ):
        added = commands.add_parser(command, help=text)
        added.add_argument("folder")
        # As in the notebook image; the start of a server mends it for others.
        added.add_argument("--owner", type=_owner, default=(1000, 100))
        added.add_argument("--mode", type=lambda text: int(text, 8), default=0o700)
    return parser.parse_args()


def main() -> None:
    """The command line."""
    given = _arguments()
    try:
        if given.command == "beside":
            print(json.dumps(beside()))
        elif given.command in ("folders", "claims", "export", "import"):
            _accounts(given.command)
        else:
            _home(given)
    except Refused as error:
        sys.exit(str(error))


def _home(given: argparse.Namespace) -> None:
    home, is_claim = given.homes / given.folder, given.folder == _ALL
    if given.command == "inventory":
        there = there_is(home, is_claim)
        print(json.dumps(inventory(home, is_claim) if there else None))
    elif given.command == "pack":
        pack(home, sys.stdout.buffer, is_claim)
    else:
        _require_volume(given.homes, given.claim)
        if is_claim:
            unpack_claim(home, sys.stdin.buffer, given.owner)
        else:
            unpack(given.homes, given.folder, sys.stdin.buffer, given.owner, given.mode)


def _require_volume(homes: Path, is_claim: bool) -> None:
    """What is in a container's own folder goes with it.

    On a Docker host a disk that isn't mounted is a folder, too, so the hub marks what it has seen.
    A claim is there or its pod isn't: it is enough that something is mounted.
    """
    if not (os.path.ismount(homes) if is_claim else (homes / SENTINEL).is_file()):
        raise Refused(f"{homes} is not the volume of homes: this hub doesn't see it.")


def _owner(text: str) -> tuple[int, int]:
    user, group = text.split(":")
    return int(user), int(group)


def _accounts(command: str) -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.orm import sessionmaker

    from . import chart
    from .login.roster import Roster
    from .login.subjects import Subjects
    from .login.taken import Taken
    from .settings import load_settings

    settings = load_settings()
    roster = Roster(settings.login.users, settings.login.admins)
    db = sessionmaker(bind=create_engine(chart.database(STATE)))()
    provider = settings.login.provider
    subjects = Subjects(settings.login.kind) if provider else None
    if command == "claims":
        print(json.dumps(_claims(db)))
        return
    if command != "import":
        told = export(db, roster, provider, subjects.known() if subjects else {})
        homes = folders([*told["users"], *told["roster"]])
        print(json.dumps(homes if command == "folders" else told))
        return
    told = json.load(sys.stdin)
    if subjects:
        take_subjects(told, provider, subjects, Taken())
    take(db, told, roster)


def _claims(db: Any) -> dict[str, dict[str, Any]]:
    from . import claims

    try:
        return claims.homes(db, json.load(sys.stdin))
    except claims.NoClaim as error:
        raise Refused(str(error)) from None


if __name__ == "__main__":
    main()
