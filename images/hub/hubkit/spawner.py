"""Starts each user's server in a container of its own."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

import docker
from dockerspawner import DockerSpawner
from jupyterhub import orm
from jupyterhub.utils import maybe_future
from tornado import web
from traitlets import Instance, default

from . import admission, buckets, firewall, homes, labels, names, options, pools, quota
from .admission import NoRoom, Promise
from .folders import GROUPS, HOMES, SCRATCH, SHARED
from .refused import refused
from .settings import Engine, Group, Image, Limits, Settings
from .tokens import OwnTokens
from .turns import Turns

# In the home:
CLOUD_STORAGE = "cloud-storage"  # buckets
EXAMPLES = "examples"
SCRATCH_FOLDER = "scratch-not-kept"
TOGETHER = "WORK_TOGETHER"  # tells images that several people use one server
# Repositories come and go by automount: they reach servers that run already.
_CVMFS = {
    "type": "bind",
    "source": "/cvmfs",
    "target": "/cvmfs",
    "read_only": True,
    "propagation": "rslave",
}
LOOK_EVERY = 0.05  # seconds
DISK_ANSWERS = 10.0  # seconds

_clients = threading.local()
_engine: dict[str, str] = {}  # its version: asked for once, and not by the hub's own thread
_host_paths: dict[str, str] = {}
_threads = ContextVar("threads", default=pools.POLLS)  # of what is being done just now


@contextmanager
def _working_in(pool: ThreadPoolExecutor) -> Iterator[None]:
    before = _threads.set(pool)
    try:
        yield
    finally:
        _threads.reset(before)


@cache
def _turns(count: int) -> Turns:
    """The hub's one queue for starting servers."""
    return Turns(count or (os.cpu_count() or 1) + 1)


@cache
def _quotas(limit: int | None) -> quota.Quotas:
    """The hub's one keeper of quotas."""
    return quota.Quotas(limit)


class HubSpawner(OwnTokens, DockerSpawner):
    """DockerSpawner with a list of images, limits, admission, kept homes and a closed network."""

    user_options: dict[str, str]
    settings = Instance(Settings, config=True, help="The hub's settings document.")
    engine = Instance(Engine, config=True, help="Its part about the engine.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.prefix = f"{self.settings.deployment}-user"
        self.network_name = self.engine.network.name
        self.use_internal_ip = True
        self.remove = True  # a stopped container would come back with its old image
        self.pull_policy = "never"  # images are put there by `pulumi up`, not while a class waits
        self.post_start_cmd = ""
        self.poll_interval = 60  # the engine tells sooner, see ends.py
        self._promise = Promise()  # what is kept for the server that runs
        self._waits = False

    # One client a thread, so that a slow call of one user doesn't hold up all others.

    @property
    def executor(self) -> ThreadPoolExecutor:
        """The pool that engine calls run in."""
        return _threads.get()

    @property
    def client(self) -> docker.APIClient:
        """This thread's connection to the engine."""
        if not hasattr(_clients, "client"):
            _clients.client = docker.APIClient(
                **docker.utils.kwargs_from_env(), version=_engine.get("version", "auto"), timeout=60
            )
            _engine["version"] = _clients.client._version
        return _clients.client

    # Which image, and how large

    @property
    def choice(self) -> options.Choice:
        """What the user chose, or what is chosen for who has no choice."""
        try:
            if group := self._common:
                chosen = {"image": group.image, "size": group.size}
                return options.chosen(chosen, self.settings)
            return options.chosen(self.user_options, self.settings)
        except options.NotOffered as error:
            raise web.HTTPError(400, str(error)) from None

    @default("options_form")
    def _default_options_form(self) -> str:
        return "" if self._common else options.form(self.settings)

    @default("options_from_form")
    def _default_options_from_form(self) -> Any:
        return options.from_form

    # What is checked and made before the container

    async def start(self) -> tuple[str, int]:
        """Starts the server, or says in one sentence why it doesn't."""
        names.require_of_server(self.name)
        self._require_own_container()
        self._require_one_for_a_group()
        _threads.set(pools.STARTS)
        choice, groups = self.choice, self._groups()
        try:
            await self._require_disks()
            self._admit(choice.limits)
            await pools.run(pools.STARTS, firewall.require, self.engine.network)
            await pools.run(pools.STARTS, self._check_image, choice.image)
            await pools.run(pools.STARTS, self._find_volumes)
            await self._on_disk(self._make_folders, choice.image, groups)
        except (NoRoom, firewall.NotClosed, homes.UnsafeFolder, quota.NoQuota) as error:
            self.log.warning("Server of %s not started: %s", self.user.name, error)
            raise refused(str(error)) from None
        if self.engine.cloud_storage:
            buckets.ask(names.escaped(self.user.name), self._who_has_a_server())
        self._apply(choice.image, choice.limits, groups)
        return await self._in_turn()

    async def _in_turn(self) -> tuple[str, int]:
        """Starts when it is this server's turn."""
        turns = _turns(self.engine.spawn.concurrency)
        self._waits = turns.must_wait(self.user.name)
        async with turns.take(self.user.name):
            self._waits = False
            try:
                limit = self.engine.spawn.start_timeout
                return await asyncio.wait_for(self._start_container(), limit)
            except TimeoutError:
                raise refused(
                    f"The server did not answer within {limit} seconds. {await self._last_words()}"
                ) from None

    async def stop(self, now: bool = False) -> None:
        """Stops the server."""
        with _working_in(pools.ENDS):
            await super().stop(now)

    async def run_post_stop_hook(self) -> None:
        """After every end of a server, however it came: JupyterHub calls `stop` not for all.

        What isn't kept goes with the user's last server; a container that ended by itself, too.
        """
        if self.engine.cloud_storage:
            # The database has this server until it is gone.
            mine = set() if self._has_another_server() else {names.escaped(self.user.name)}
            buckets.forget_all_but(self._who_has_a_server() - mine)
        if self.object_id:
            with _working_in(pools.ENDS):
                await self.remove_object()
        if self.settings.files.scratch and not self._has_another_server():
            await pools.run(pools.FILES, homes.remove, SCRATCH, names.escaped(self.user.name))
        await maybe_future(super().run_post_stop_hook())

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """What the page shows while a user waits."""
        while self._waits:
            yield {"progress": 10, "message": "Others are starting: your turn comes soon"}
            await asyncio.sleep(2)
        yield {"progress": 50, "message": "Starting your server"}

    async def _start_container(self) -> tuple[str, int]:
        chosen = dict(self.user_options)
        self.user_options = {}  # DockerSpawner would take the title for a reference
        try:
            address, port = await super().start()
        except docker.errors.APIError as error:
            raise refused(_in_words(error, self.image, self.cmd)) from None
        finally:
            self.user_options = chosen
        await self._wait_until_open(str(address), int(port))
        return str(address), int(port)

    async def _wait_until_open(self, address: str, port: int) -> None:
        """Looks often: JupyterHub's own waiting doubles its pauses and loses half a second.

        A container that ended meanwhile is an error at once, with its last words.
        """
        for attempt in itertools.count(1):
            try:
                _, writer = await asyncio.open_connection(address, port)
            except OSError:
                if attempt % 20 == 0 and await self.poll() is not None:
                    words = await self._last_words()
                    raise refused(f"The server ended while it started. {words}") from None
                await asyncio.sleep(LOOK_EVERY)
            else:
                writer.close()
                return

    async def _last_words(self) -> str:
        if not self.container_id:
            return ""
        log = await self.docker("logs", self.container_id, tail=3)
        tail = log.decode(errors="replace").strip()
        return f"Its last words: {tail or 'none'}"

    def get_state(self) -> dict[str, Any]:
        """What is kept in the database."""
        return {**super().get_state(), "promise": self._promise.document()}

    def load_state(self, state: dict[str, Any]) -> None:
        """What was kept, after a restart of the hub."""
        super().load_state(state)
        self._promise = Promise.read(state)

    def _admit(self, limits: Limits) -> None:
        self._promise = Promise()
        host, reserve = admission.this_host(), self.engine.memory_reserve
        self._promise = admission.admit(limits, self._promises(), host, reserve)

    async def _require_disks(self) -> None:
        for folder in (HOMES, SHARED):
            await self._on_disk(admission.require_disk, folder, within=DISK_ANSWERS)

    async def _on_disk(self, work: Any, *args: Any, within: float | None = None) -> Any:
        """Done in a thread: a disk may be another machine's, which doesn't answer."""
        try:
            limit = within or self.engine.spawn.start_timeout
            return await pools.run(pools.FILES, work, *args, within=limit)
        except TimeoutError:
            raise NoRoom(
                f"The disk of users' files does not answer (waited {limit:g} seconds). Tell your "
                "teacher."
            ) from None

    def _promises(self) -> Iterator[Promise]:
        """What all other servers were promised; the hub knows them again after its restart."""
        for user in self.user.settings["app"].users.values():
            for spawner in user.spawners.values():
                if spawner is not self and spawner.active:
                    yield spawner._promise

    def _check_image(self, image: Image) -> None:
        try:
            self.client.inspect_image(image.image)
        except docker.errors.ImageNotFound:
            raise refused(
                f"The image {image.image} is not on this machine. Your teacher can bring it: "
                "make up."
            ) from None

    def _make_folders(self, image: Image, groups: list[str]) -> None:
        name = names.escaped(self.user.name)
        if not (HOMES / name).exists():
            found = homes.skeleton(self.client, image.image, image.home, self._labels)
            homes.create(HOMES, name, image.owner, 0o700, found)
        homes.ensure(HOMES, name, image.owner, 0o700)
        self._make_mount_points(HOMES / name, image, groups)
        if collected := self.settings.files.collect:
            homes.make_way(HOMES / name, collected)
            homes.ensure(HOMES / name, collected, image.owner, 0o700)
        # Its mount point is inside the read-only folder, so both have the same name.
        homes.ensure(SHARED, self.user.name, image.owner, 0o755)
        for group in groups:
            homes.ensure(HOMES, GROUPS, (0, 0), 0o711)
            homes.ensure(HOMES / GROUPS, group, image.owner, 0o2770)
        quotas = _quotas(self.settings.files.disk_quota)
        quotas.hold(name, [HOMES / name, SHARED / self.user.name])
        for group in groups:
            quotas.hold(f"{GROUPS}/{group}", [HOMES / GROUPS / group])
        if self.settings.files.scratch:
            if not self._has_another_server():
                homes.remove(SCRATCH, name)
            homes.ensure(SCRATCH, name, image.owner, 0o700)

    def _make_mount_points(self, home: Path, image: Image, groups: list[str]) -> None:
        """The engine would make them as root's."""
        files = self.settings.files
        wanted = {
            CLOUD_STORAGE: self.engine.cloud_storage,
            EXAMPLES: files.examples,
            SCRATCH_FOLDER: files.scratch,
            "shared": True,
        }
        points = [point for point, is_wanted in wanted.items() if is_wanted]
        for point in (*points, *map(_group_folder, groups)):
            homes.make_way(home, point)
            homes.ensure(home, point, image.owner, 0o755)

    @property
    def _labels(self) -> dict[str, str]:
        return {labels.DEPLOYMENT: self.settings.deployment, labels.ROLE: "user"}

    def _groups(self) -> list[str]:
        """Groups that the user is in."""
        if group := names.group_of(self.user.name):
            return [group]
        return [name for name, known in self.settings.files.groups.items() if known.has(self.user)]

    @property
    def _common(self) -> Group | None:
        """The group whose common server this is; None for a person's own."""
        known = self.settings.files.groups.get(names.group_of(self.user.name) or "")
        return known if known and known.together else None

    def _require_one_for_a_group(self) -> None:
        """Two servers of a group would save over each other."""
        group = names.group_of(self.user.name)
        if group is not None and (self._common is None or self.name):
            raise refused(f"The group {group} has no such server to work in together.")

    def _require_own_container(self) -> None:
        """Of earlier releases a server `Lab` may run, in the container that `lab` would take."""
        for other in self.user.spawners.values():
            if other is not self and other.active and other.object_name == self.object_name:
                raise refused(f"Your server {other.name} has this one's place: stop it first.")

    def _has_another_server(self) -> bool:
        return any(each.active for each in self.user.spawners.values() if each is not self)

    def _who_has_a_server(self) -> set[str]:
        """Everybody's escaped names, by the database: it knows them before all are looked at."""
        running = self.db.query(orm.User.name).join(orm.Spawner, orm.Spawner.user_id == orm.User.id)
        having = running.filter(orm.Spawner.server_id.is_not(None))
        return {names.escaped(name) for (name,) in having}

    def _apply(self, image: Image, limits: Limits, groups: list[str]) -> None:
        shared = _host_paths[self.engine.volumes["shared"].volume]
        homes_path = _host_paths[self.engine.volumes["homes"].volume]
        home = f"{homes_path}/{names.escaped(self.user.name)}"
        self.image = image.image
        self.cmd = image.command
        self.notebook_dir = self._start_folder(image)
        # What one member left in the account's home must not open the server to everybody.
        self.disable_user_config = self._common is not None
        self.mem_limit = limits.memory
        self.mem_guarantee = limits.memory_guarantee
        self.cpu_limit = limits.cpu
        self.cpu_guarantee = limits.cpu_guarantee
        self.environment = self._environment(image)
        self.volumes: dict[str, Any] = {
            home: image.home,
            f"{shared}/{self.user.name}": f"{image.home}/shared/{self.user.name}",
        }
        for group in groups:
            self.volumes[f"{homes_path}/{GROUPS}/{group}"] = f"{image.home}/{_group_folder(group)}"
        if scratch := self.settings.files.scratch:
            path = f"{_host_paths[scratch]}/{names.escaped(self.user.name)}"
            self.volumes[path] = f"{image.home}/{SCRATCH_FOLDER}"
        # A mount, for which the engine makes no empty folder where the host has none.
        self.mounts = [_CVMFS] if self.settings.files.cvmfs else []
        if storage := self.engine.cloud_storage:
            path = f"{_host_paths[storage]}/users/{names.escaped(self.user.name)}"
            # A bucket whose mount comes later, or again, appears in servers that run.
            own = {"bind": f"{image.home}/{CLOUD_STORAGE}", "mode": "rw,rslave"}
            self.volumes[path] = own
        self.read_only_volumes = {shared: f"{image.home}/shared"}
        if examples := self.settings.files.examples:
            # A bind of the volume's path: as a volume, the engine would copy the image's files in.
            path = _host_paths[examples]
            self.read_only_volumes[path] = f"{image.home}/{EXAMPLES}"
        self.extra_create_kwargs = {
            "user": image.user,
            "working_dir": image.home,
            "labels": self._labels,
        }
        self.extra_host_config = _host_config(limits, self._promise.gpus)

    def _environment(self, image: Image) -> dict[str, str]:
        home = {"HOME": image.home, "JUPYTERHUB_ROOT_DIR": self._start_folder(image)}
        if limit := self.settings.files.disk_quota:
            home["DISK_LIMIT"] = str(limit)  # as JupyterHub's MEM_LIMIT and CPU_LIMIT
            # A server whose home is full has to start, or nobody could delete anything in it.
            home["JUPYTER_RUNTIME_DIR"] = "/tmp/jupyter-runtime"
        together = {TOGETHER: "1"} if self._common else {}
        told = self.settings.culling.environment | home
        return told | self.settings.environment | image.environment | together

    def _start_folder(self, image: Image) -> str:
        """The home; in a common server the group's folder, so that its members have all of it."""
        if self._common is None:
            return image.home
        return f"{image.home}/{_group_folder(names.group_of(self.user.name) or '')}"

    def _find_volumes(self) -> None:
        """Where the engine keeps the volumes: parts of one can only be mounted by that path."""
        files = self.settings.files
        more = (files.scratch, files.examples, self.engine.cloud_storage)
        used = {each.volume for each in self.engine.volumes.values()} | {*filter(None, more)}
        for name in used - _host_paths.keys():
            found = self.client.inspect_volume(name)
            options = found.get("Options") or {}
            _host_paths[name] = options.get("device") or found["Mountpoint"]


def _group_folder(group: str) -> str:
    return f"group-{group}"


def _in_words(error: docker.errors.APIError, image: str, command: list[str]) -> str:
    """Why the engine doesn't start a container, as its user can tell the teacher."""
    said = str(error.explanation or error)
    if "bind source path does not exist: /cvmfs" in said:
        return (
            "This machine has no /cvmfs, which your teacher's settings promise. Tell your teacher: "
            "install CVMFS on it (`software.cvmfs` of a VM), or take `files.cvmfs` out."
        )
    if "executable file not found" in said or "no such file or directory" in said:
        return (
            f"The image {image} has no program {command[0]}, so it can't be used here. Tell your "
            "teacher: images need JupyterHub's `jupyterhub-singleuser`, or another `command`."
        )
    return f"The engine did not start your server. It says: {said}"


def _host_config(limits: Limits, gpus: tuple[str, ...]) -> dict[str, Any]:
    config: dict[str, Any] = {
        # The spawner removes it; the engine's own removal also ends it when the engine restarts.
        "auto_remove": False,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": limits.pids,
        "shm_size": limits.shm_size,
        "log_config": {"type": "json-file", "config": {"max-size": "5m", "max-file": "2"}},
    }
    if limits.memory is not None:
        config["memswap_limit"] = limits.memory + limits.swap
    if gpus:
        request = docker.types.DeviceRequest(device_ids=list(gpus), capabilities=[["gpu"]])
        config["device_requests"] = [request]
    return config
