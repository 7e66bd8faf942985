"""Somebody who has just cloned this project, on a machine where nobody has prepared anything."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import yaml

from tests.checkout import DEPLOYMENT, ENGINE, ROOT, containers_of
from toolchain.setup import paths

# What everybody on this site has in their environment, because nothing could be downloaded
# without it. All else is this account's own, or this test run's, and a stranger has none of it.
OF_THE_SITE = (
    # The way out.
    *("http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
    # Whose certificates are trusted on it.
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"),
    # Where packages come from instead of the public registries.
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_TRUSTED_HOST"),
    *("PIP_DEFAULT_TIMEOUT", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS"),
    *("GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "NPM_CONFIG_REGISTRY"),
)
STACK, NUMBER = "tstranger", 36  # no other test has ports and networks of this number
CACHE = paths.cache().parent


class Stranger:
    """A home with nothing in it, and a clone of what is committed here."""

    def __init__(self, folder: Path) -> None:
        self.deployment = f"jupyterhub-{STACK}"
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.clone = folder / "der Klon ä" / "pulumi-jupyterhub"  # as a desktop's folders are named
        self.said: list[tuple[str, str]] = []  # commands, and all that each printed
        self.environment = {
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PATH": bare_path(),
            "XDG_CACHE_HOME": str(CACHE),  # what takes minutes to build is built once
            "STACK": STACK,  # the README's commands as they are, for a hub of another name
            **{name: os.environ[name] for name in OF_THE_SITE if name in os.environ},
        }
        command = ["git", "clone", "-q", "--no-hardlinks", ROOT, self.clone]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        self._write_stack_file()

    def _write_stack_file(self) -> None:
        """The template's, with ports and a network of its own: other hubs may run here."""
        template = self.clone / "stacks" / "catalogue" / "local.yaml"
        if not template.exists():
            template = self.clone / "stacks" / "Pulumi.local.yaml"
        config = yaml.safe_load(template.read_text())["config"]
        config.pop("jupyterhub:secrets", None)  # somebody's, encrypted with what nobody else has
        config["jupyterhub:proxy"] |= {"http_port": 8400 + NUMBER, "api_port": 8500 + NUMBER}
        subnet = f"10.{241 + 3 * (NUMBER // 16)}.{16 * (NUMBER % 16)}.0/20"
        config["jupyterhub:hub"] |= {"network": {"subnet": subnet}, "memory_reserve": "512M"}
        own = self.clone / "stacks" / f"Pulumi.{STACK}.yaml"
        own.write_text(yaml.safe_dump({"config": config}, allow_unicode=True))

    def types(self, command: str, seconds: float = 300, works: bool = True) -> str:
        """All that a command prints. Nobody is there to answer it: it has no terminal."""
        begun = time.monotonic()
        with tempfile.TemporaryFile("w+", errors="replace") as out:
            process = subprocess.Popen(
                shlex.split(command),
                cwd=self.clone,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # /dev/tty can't be opened either
            )
            try:
                code: int | str = process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                code = f"killed after {seconds} s"
            out.seek(0)
            printed = out.read()
        self.said.append((command, printed))
        print(f"$ {command}\n{printed}[{code}, {time.monotonic() - begun:.1f} s]\n")
        assert isinstance(code, int) and (code == 0) is works, f"{command}: {code}\n{printed}"
        return printed

    def reads(self, name: str) -> str:
        """A text of the clone."""
        return (self.clone / name).read_text()

    def has(self) -> set[str]:
        """What the engine has of this hub: containers, networks, volumes."""
        label = {"label": f"{DEPLOYMENT}={self.deployment}"}
        networks = ENGINE.networks.list(filters=label)
        volumes = {each.name for each in ENGINE.volumes.list(filters=label)}
        volumes |= {
            each.name
            for each in ENGINE.volumes.list()
            if each.name.startswith(f"{self.deployment}-")
        }
        containers = containers_of(self.deployment)
        return {f"{each.name} {each.id}" for each in (*containers, *networks)} | volumes

    def foreign(self, printed: str) -> list[str]:
        """Lines with a path into another's home, or into the checkout that was cloned."""
        others = [str(ROOT), str(Path.home())]
        paths_there = re.compile(rf"(?<![\w.-])({'|'.join(map(re.escape, others))})(?![\w.-])")
        own = re.compile("|".join(re.escape(str(each)) for each in (self.folder, CACHE)))
        return [line for line in printed.splitlines() if paths_there.search(own.sub("", line))]


class Readme:
    """The commands that a stranger finds in the README."""

    def __init__(self, text: str) -> None:
        self.text = text

    @property
    def first(self) -> str:
        """The only thing to type before there is a hub: the first block."""
        block = re.search(r"^```\w*\n(.*?)^```", self.text, re.M | re.S)
        assert block, "the README has no block with a command"
        return block[1].strip()

    def command(self, wanted: str) -> str:
        """A row of the table of commands."""
        rows = re.findall(r"^\| `(make [\w-]+)` \|", self.text, re.M)
        assert wanted in rows, f"the README has no {wanted} any more; it has {rows}"
        return wanted


def bare_path() -> str:
    """The system's programs: what this account installed for itself, a stranger doesn't have."""
    own = [Path.home(), ROOT, CACHE, Path(os.environ.get("VIRTUAL_ENV") or ROOT)]
    folders = [Path(each) for each in os.environ["PATH"].split(":") if each]
    return ":".join(str(f) for f in folders if not any(f.is_relative_to(each) for each in own))
