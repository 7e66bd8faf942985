#!/usr/bin/env python3
"""Keeps buckets mounted as folders of those whose server runs.

    /buckets/all/<bucket>           the whole bucket; in no user's container
    /buckets/users/<user>/<entry>   what a user's container has as `cloud-storage/<entry>`

Everybody on a hub has the same uid, so what is mounted for whom is all that keeps users apart. One
rclone makes all mounts: one process each would take 50 MB a user. Beneath a mount is a plain
folder with a text that says why there is nothing; the mount hides it. What was written and not yet
stored is in /cache, a kept volume, and the next start goes on with it.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SETTINGS = Path("/etc/buckets/settings.json")
FOLDER = Path("/buckets")  # a folder of the host that is shared with users' containers
ASKED = Path("/asked")  # the hub puts a file here for everybody who has a server
CACHE = Path("/cache")
REMOTES = Path("/run/rclone.conf")
PROBED = ".pulumi-jupyterhub"
TEXT = "NOT-AVAILABLE.txt"
USER = re.compile(r"[a-z0-9-]+")  # as the hub escapes names

EVERY = 0.2  # seconds between two looks at who has a server
LOOK_AGAIN = 2.0  # seconds between two looks at a bucket's mounts
PROBE_WELL, PROBE_ILL = 30.0, 5.0  # seconds between two questions to a store
PROBE_WITHIN = 10.0  # seconds for its answer
LAST_UPLOADS = 8.0  # seconds at the end

# An unreachable store is an error in seconds. What is written meanwhile is uploaded again and
# again, whatever these say.
_PATIENCE = ["--contimeout", "4s", "--timeout", "8s", "--low-level-retries", "1", "--retries", "1"]
_OF_A_PROBE = re.compile(rf'{re.escape(PROBED)}|rc: "operations/list"')  # told by the keepers
_SECOND = 1_000_000_000  # rclone's durations are in nanoseconds
_CACHE_OFF, _CACHE_WRITES = 0, 2

_WORDS = {
    "connection refused|no such host|timeout|timed out|unreachable|reset by peer|EOF|lookup ": (
        "the store does not answer"
    ),
    "AccessDenied|SignatureDoesNotMatch|InvalidAccessKeyId|Forbidden|Unauthorized"
    "|status code: 40[13]|invalid_grant|Authorization Failed": (
        "the store refuses the hub's credentials"
    ),
    "NoSuchBucket|directory not found|status code: 404|Container Not Found": (
        "the store has no bucket of this name"
    ),
    "x509|certificate": "the store's certificate is not one that this hub knows",
}
_CONNECTING = "it is being connected"
_RESTARTING = "what connects it is being restarted"


def in_words(error: str) -> str:
    """Why a bucket can't be reached, for a student."""
    for pattern, words in _WORDS.items():
        if re.search(pattern, error, re.I):
            return words
    return "the store answers with an error"


def text_of(bucket: str, why: str) -> str:
    """What is in the folder while the bucket isn't."""
    return (
        f"This is the folder of the bucket `{bucket}`. It is empty because {why}.\n\n"
        "Your home and all else work, and nothing was deleted. It is tried again every few\n"
        "seconds; the files come back here by themselves, without a restart of your server.\n"
        "For your teacher: make logs WHAT=buckets\n"
    )


@dataclass(frozen=True)
class Bucket:
    """A bucket, and who sees what of it."""

    name: str
    root: str  # bucket, and a folder in it
    access: str
    writable: bool
    remote: Mapping[str, str]  # rclone's options

    def secrets(self) -> list[str]:
        """What nobody may read in a log."""
        return [v for k, v in self.remote.items() if re.search(r"key|secret|credential|pass", k)]

    @property
    def whole(self) -> Path:
        """Where all of it is mounted."""
        return FOLDER / "all" / self.name

    def mounts(self, users: set[str]) -> Iterator[Mount]:
        """What is mounted while these have a server; a bind comes after what it shows."""
        if users and self.access != "private":
            read_only = self.access == "scratch" or not self.writable
            yield Mount(self.whole, self.root, read_only)
        for user in sorted(users):
            home, own = FOLDER / "users" / user, f"{self.root}/{user}"
            if self.access == "private":
                yield Mount(home / self.name, own)
                continue
            yield Mount(home / self.name, shows=self.whole)
            if self.access == "scratch":
                yield Mount(home / f"my-{self.name}", own)


@dataclass(frozen=True)
class Mount:
    """A folder that a part of a bucket is mounted on, or (`shows`) another such folder."""

    point: Path
    root: str = ""
    read_only: bool = False
    shows: Path | None = None


class Failed(Exception):
    """rclone could not do it. Its text is rclone's."""


class Rclone:
    """The process that makes all mounts, and calls to it."""

    def __init__(self, settings: Mapping[str, Any], buckets: list[Bucket]) -> None:
        self._owner = settings["owner"]
        self._secrets = [s for bucket in buckets for s in bucket.secrets() if s]
        self._buckets = buckets
        self._process: subprocess.Popen[str] | None = None
        self._url, self._login = "", ""

    def start(self) -> None:
        """Starts it, on a port and with a password that nobody else knows."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        password = secrets.token_hex(16)
        self._url = f"http://{address}/"
        self._login = "Basic " + base64.b64encode(f"hub:{password}".encode()).decode()
        own = {"RCLONE_RC_USER": "hub", "RCLONE_RC_PASS": password, "RCLONE_CONFIG": str(REMOTES)}
        command = ["rclone", "rcd", "--rc-addr", address, "--cache-dir", str(CACHE), *_PATIENCE]
        self._process = subprocess.Popen(
            command, env=os.environ | own, stderr=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._relay, args=(self._process,), daemon=True).start()
        while self.runs():
            try:
                self.call("rc/noop")
                break
            except Failed:
                time.sleep(0.05)
        for bucket in self._buckets:
            self._name(bucket)

    def _name(self, bucket: Bucket) -> None:
        """Tells it of a remote.

        In its file of remotes: the cache's folder of one that comes by environment is named by its
        credentials, too, and what waits there for upload would be lost with a new key.
        """
        options = dict(bucket.remote)
        kind = options.pop("type")
        how = {"nonInteractive": True, "noObscure": True}
        self.call("config/create", name=bucket.name, type=kind, parameters=options, opt=how)

    def runs(self) -> bool:
        """Whether it is there."""
        return self._process is not None and self._process.poll() is None

    def end(self) -> None:
        """Ends it."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def _relay(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr
        for line in process.stderr:
            if not _OF_A_PROBE.search(line):
                self.say(line.rstrip())

    def say(self, text: str) -> None:
        """Prints a line without the secrets that might be in it."""
        print(self.scrubbed(text), flush=True)

    def scrubbed(self, text: str) -> str:
        """The text without any secret."""
        for each in self._secrets:
            text = text.replace(each, "***")
        return text

    def call(self, path: str, within: float = 120, **values: Any) -> dict[str, Any]:
        """One call of its API, at most so many seconds."""
        head = {"Authorization": self._login, "Content-Type": "application/json"}
        request = urllib.request.Request(self._url + path, json.dumps(values).encode(), head)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=within) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            raise Failed(self.scrubbed(_said(error.read()))) from None
        except (OSError, ValueError) as error:
            raise Failed(str(error)) from None

    def mount(self, bucket: Bucket, mount: Mount) -> None:
        """Mounts a part of a bucket."""
        uid, gid = self._owner
        # Only one that is written to has files in the cache: two must not share a folder there.
        cache = _CACHE_OFF if mount.read_only else _CACHE_WRITES
        self.call(
            "mount/mount",
            fs=f"{bucket.name}:{mount.root}",
            mountPoint=str(mount.point),
            mountType="mount2",  # `mount` of Debian's rclone has errors in every `ls -l`
            mountOpt={"AllowOther": True, "AllowNonEmpty": True},
            vfsOpt={
                "UID": uid,
                "GID": gid,
                "Umask": 0o22,
                "ReadOnly": mount.read_only,
                "CacheMode": cache,
                "CacheMaxSize": 2 * 1024**3,
                "WriteBack": 2 * _SECOND,
                "DirCacheTime": 10 * _SECOND,
            },
        )


def _said(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:300]


def mounted() -> set[Path]:
    """Where something is mounted below our folder."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {Path(p) for p in (line.split()[4] for line in lines) if p.startswith(f"{FOLDER}/")}


def is_dead(point: Path) -> bool:
    """Whether a mount's rclone is gone."""
    try:
        point.stat()
    except OSError as error:
        return error.errno in (errno.ENOTCONN, errno.ECONNABORTED)
    return False


def unmount(point: Path, lazily: bool = False) -> bool:
    """Whether it is unmounted now; what is in use is only when it may go `lazily`."""
    command = ["umount", *(["-l"] if lazily else []), str(point)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def clear() -> None:
    """Takes away all mounts; those that a killed rclone left are dead, and in the way."""
    for point in sorted(mounted(), reverse=True):
        unmount(point, lazily=True)


def explain(bucket: str, point: Path, why: str) -> None:
    """Puts the text into the plain folder; never into a bucket."""
    point.mkdir(parents=True, exist_ok=True)
    text = text_of(bucket, why)
    if point.stat().st_dev != FOLDER.stat().st_dev:
        return
    file = point / TEXT
    if not file.exists() or file.read_text() != text:
        file.write_text(text)


def asked() -> set[str]:
    """Who has a server."""
    return {path.name for path in ASKED.iterdir() if USER.fullmatch(path.name)}


def pending(path: str) -> int:
    """How many files under `remote/bucket/folder` aren't stored yet."""
    found = 0
    for file in (CACHE / "vfsMeta" / path).rglob("*"):
        try:
            found += bool(json.loads(file.read_text())["Dirty"]) if file.is_file() else 0
        except (OSError, ValueError, KeyError):  # gone, or half written
            continue
    return found


class Keeper(threading.Thread):
    """Keeps the mounts of one bucket. A store that doesn't answer holds up no other."""

    def __init__(self, bucket: Bucket, rclone: Rclone) -> None:
        super().__init__(name=bucket.name, daemon=True)
        self.wake = threading.Event()
        self.ended = threading.Event()
        self._bucket, self._rclone = bucket, rclone
        self._trouble: str | None = _CONNECTING
        self._left: set[str] = set()  # who has files that aren't stored yet
        self._due = 0.0

    def run(self) -> None:
        """Looks again and again."""
        while not self.ended.is_set():
            self.wake.clear()
            try:
                self.look()
            except (Failed, OSError) as error:
                self._say(f"{error}")
            self.wake.wait(LOOK_AGAIN)

    def _say(self, text: str) -> None:
        self._rclone.say(f"bucket {self._bucket.name}: {text}")

    def prepare(self, users: set[str]) -> None:
        """The plain folders of these users."""
        for mount in self._bucket.mounts(users):
            if mount.point not in mounted():
                explain(self._bucket.name, mount.point, self._trouble or _CONNECTING)

    def look(self) -> None:
        """One round: is the store there, and is mounted what has to be?"""
        users = asked()
        if time.monotonic() >= self._due and (users or self._left or self._due == 0):
            self._left = self._have_pending()
            self._probe()
        wanted = {mount.point: mount for mount in self._bucket.mounts(users | self._left)}
        there = {point for point in mounted() if self._is_ours(point)}
        for point in sorted(there, reverse=True):
            if is_dead(point):
                self._say(f"{point} is dead, mounting it again")
                unmount(point, lazily=True)
            elif point not in wanted:
                self._drop(point)
        if self._trouble is not None:
            self._show_trouble(wanted)
            return
        for mount in wanted.values():
            if mount.point not in mounted():
                self._mount(mount)

    def _is_ours(self, point: Path) -> bool:
        own = [f"my-{self._bucket.name}"] if self._bucket.access == "scratch" else []
        return point.name in (self._bucket.name, *own)

    def _have_pending(self) -> set[str]:
        """Users whose last files wait: they are stored also when they don't come back."""
        where = f"{self._bucket.name}/{self._bucket.root}"
        folder = CACHE / "vfsMeta" / where
        names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
        if self._bucket.access == "shared":
            return set()
        return {n for n in names if USER.fullmatch(n) and pending(f"{where}/{n}")}

    def _probe(self) -> None:
        """Asks the store for a folder that isn't there: one small question."""
        where = f"{self._bucket.root}/{PROBED}"
        before = self._trouble
        try:
            remote = f"{self._bucket.name}:"
            self._rclone.call("operations/list", PROBE_WITHIN, fs=remote, remote=where)
            self._trouble = None
        except Failed as error:
            self._trouble = in_words(str(error))
            if self._trouble != before:
                self._say(f"{self._trouble}. It says: {error}")
        if before not in (None, _CONNECTING) and self._trouble is None:
            self._say("the store answers again")
        self._due = time.monotonic() + (PROBE_WELL if self._trouble is None else PROBE_ILL)

    def _mount(self, mount: Mount) -> None:
        explain(self._bucket.name, mount.point, _CONNECTING)
        if mount.shows:
            if mount.shows in mounted():
                bind = ["mount", "--bind", str(mount.shows), str(mount.point)]
                subprocess.run(bind, check=True)
            return
        self._rclone.mount(self._bucket, mount)
        self._say(f"mounted at {mount.point}")

    def _show_trouble(self, wanted: Mapping[Path, Mount]) -> None:
        """The text instead of a folder that only gives errors; what somebody uses stays."""
        for mount in reversed(wanted.values()):
            if mount.point not in mounted() or unmount(mount.point):
                explain(self._bucket.name, mount.point, self._trouble or _CONNECTING)

    def _drop(self, point: Path) -> None:
        """Nobody's any more: unmounted once everything is stored."""
        user = point.parent.name
        is_own = point.name != self._bucket.name or self._bucket.access == "private"
        if is_own and pending(f"{self._bucket.name}/{self._bucket.root}/{user}"):
            return
        try:
            self._rclone.call("mount/unmount", mountPoint=str(point))
        except Failed:  # a bind, or in use
            unmount(point, lazily=True)

    def end(self) -> None:
        """No further look."""
        self.ended.set()
        self.wake.set()
        self.join(5)


def forget_old(buckets: list[Bucket], rclone: Rclone) -> None:
    """Entries of buckets that aren't in the stack any more; tells what they still have here."""
    names = {each for b in buckets for each in (b.name, f"my-{b.name}")}
    for entry in (FOLDER / "users").glob("*/*"):
        if entry.name not in names:
            (entry / TEXT).unlink(missing_ok=True)
            entry.rmdir()
    for folder in (CACHE / "vfsMeta").glob("*"):
        if folder.name not in names and (count := pending(folder.name)):
            rclone.say(
                f"bucket {folder.name} is not in the stack any more; {count} files that were "
                f"written to it and never stored are in the volume `uploads`: vfs/{folder.name}"
            )


def main() -> None:
    """Runs until told to end."""
    settings = json.loads(SETTINGS.read_text())
    buckets = [Bucket(name, **values) for name, values in settings["buckets"].items()]
    os.umask(0o22)
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    signal.signal(signal.SIGINT, lambda *_: ending.set())
    rclone = Rclone(settings, buckets)
    clear()
    for folder in ("all", "users"):
        (FOLDER / folder).mkdir(exist_ok=True)
    (FOLDER / "all").chmod(0o700)
    forget_old(buckets, rclone)
    keepers = [Keeper(bucket, rclone) for bucket in buckets]
    known = asked()
    for keeper in keepers:
        keeper.prepare(known)
    rclone.start()
    for keeper in keepers:
        keeper.start()
    while not ending.wait(EVERY):
        if not rclone.runs():
            rclone.say("rclone ended; starting it again")
            clear()
            rclone.start()
        if (users := asked()) != known:
            for keeper in keepers:
                keeper.prepare(users - known)
                keeper.wake.set()
            known = users
    for keeper in keepers:
        keeper.end()
    clear()
    for keeper in keepers:
        for mount in keeper._bucket.mounts(known):
            explain(keeper._bucket.name, mount.point, _RESTARTING)
    deadline = time.monotonic() + LAST_UPLOADS
    while pending("") and time.monotonic() < deadline:
        time.sleep(0.2)
    rclone.end()


if __name__ == "__main__":
    main()
