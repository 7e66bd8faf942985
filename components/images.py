"""Container images: pulled by reference, or built on the target engine from a folder."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pulumi
from pydantic import model_validator

from .args import Args, field
from .errors import ConfigError
from .platforms.docker_host import DockerHost
from .platforms.kubernetes import KubernetesCluster
from .platforms.place import Place
from .platforms.reach import target

EXTRA_CA = "extra-ca.crt"
# Relative, so that the state holds the same path on every machine that previews the stack.
_CONTEXTS = Path(".pulumi-jupyterhub/contexts")
_NOT_CONTENT = {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", EXTRA_CA}


class BundledImage(str, Enum):
    """Images for users that come with this library."""

    notebook = "notebook"
    dask = "dask"
    desktop = "desktop"
    ml = "ml"
    root = "root"
    rstudio = "rstudio"
    spark = "spark"


def bundled_image(name: str) -> Path:
    """Folder of an image that comes with this library: `hub`, `rclone`, or one of BundledImage."""
    installed = Path(__file__).parent / "bundled" / name
    return installed if installed.is_dir() else Path("images") / name


def base_of(folder: Path) -> Path | None:
    """Folder of the bundled image that a Dockerfile names as its usual base, if it names one."""
    text = (folder / "Dockerfile").read_text()
    found = re.search(r"^ARG BASE_IMAGE=pulumi-jupyterhub/([a-z]+)$", text, re.MULTILINE)
    return bundled_image(found[1]) if found else None


REGISTRY_ONLY = (
    "a `reference`: a cluster builds no images. `make publish IMAGE=<name> "
    "REGISTRY=<registry>/<you>` builds and pushes it, `make pin` writes it into the stack file"
)
_VARIABLES = {
    "http_proxy": ("HTTP_PROXY", "http_proxy"),
    "https_proxy": ("HTTPS_PROXY", "https_proxy"),
    "no_proxy": ("NO_PROXY", "no_proxy"),
    "ca_bundle": ("PULUMI_JUPYTERHUB_CA_BUNDLE",),
    "pip_index_url": ("PIP_INDEX_URL",),
}


def egress_here() -> dict[str, Any]:
    """What this shell says of the way out, as values for EgressArgs."""
    found = {
        name: next((os.environ[v] for v in variables if os.environ.get(v)), None)
        for name, variables in _VARIABLES.items()
    }
    return {name: value for name, value in found.items() if value}


class EgressArgs(Args):
    """How this site reaches the internet: proxies, mirrors, an extra certificate authority.

    Passed to image builds, to the hub and to every notebook. What your shell says counts for a hub
    on your own machine only: a VM's way out is not a laptop's, and a preview by CI not another one.
    """

    http_proxy: str | None = field(
        None,
        description="Proxy for plain HTTP. Default with `local`: HTTP_PROXY of your shell.",
        change="replaces the hub container; running servers get it when they restart",
    )
    https_proxy: str | None = field(
        None,
        description="Proxy for HTTPS. Default with `local`: HTTPS_PROXY of your shell.",
        change="replaces the hub container; running servers get it when they restart",
    )
    no_proxy: str | None = field(
        None,
        description="Hosts reached without a proxy, with commas. Default with `local`: NO_PROXY.",
        change="replaces the hub container; running servers get it when they restart",
    )
    ca_bundle: Path | None = field(
        None,
        description="File of extra certificate authorities (PEM), built into the images.",
        change="rebuilds the images and replaces the hub container",
    )
    pip_index_url: str | None = field(
        None,
        description="Mirror of the Python package index for builds, without a password in it.",
        change="nothing on the running system; used by the next build",
    )
    apt_mirror: str | None = field(
        None,
        description="Mirror of Debian's packages for builds: `http://mirror/debian`.",
        change="nothing on the running system; used by the next build",
    )

    @classmethod
    def of_environment(cls) -> Self:
        """What this shell says of it."""
        return cls(**egress_here())

    @model_validator(mode="after")
    def _bundle_exists(self) -> Self:
        if self.ca_bundle and not self.ca_bundle.is_file():
            raise ValueError(f"ca_bundle {self.ca_bundle} is not a file; give an existing PEM file")
        return self

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        try:
            self.hosts()
        except ValueError:
            raise ValueError(
                "http_proxy, https_proxy and pip_index_url are addresses like "
                "http://proxy.example.org:3128"
            ) from None
        return self

    def hosts(self) -> list[str]:
        """What programs are sent to by `environment`: `proxy.example.org:3128`, `10.0.0.7:443`."""
        given = (self.http_proxy, self.https_proxy, self.pip_index_url)
        return sorted({host for url in given if url and (host := _host(url))})

    def environment(self, *direct: str) -> dict[str, str]:
        """Variables for what runs, in both spellings that programs look for.

        `direct` are addresses of our own that no proxy knows.
        """
        proxies = {"http_proxy": self.http_proxy, "https_proxy": self.https_proxy}
        found = {name: value for name, value in proxies.items() if value}
        if found:
            found["no_proxy"] = ",".join(filter(None, [self.no_proxy, "localhost", *direct]))
        found |= {name.upper(): value for name, value in found.items()}
        return found | ({"PIP_INDEX_URL": self.pip_index_url} if self.pip_index_url else {})

    def build_args(self) -> dict[str, str]:
        """The build arguments that the Dockerfiles of this project know."""
        return self.environment() | ({"APT_MIRROR": self.apt_mirror} if self.apt_mirror else {})


def _host(url: str) -> str | None:
    """Host and port of an address. A folder has none, and no rule is needed for IPv6."""
    read = urlsplit(url if "://" in url else f"http://{url}")
    if not read.hostname or ":" in read.hostname:
        return None
    found = f"{read.hostname}:{read.port or (443 if read.scheme == 'https' else 80)}"
    target(found)
    return found


class ImageArgs(Args):
    """Where an image comes from: pulled, or built on the host's engine."""

    reference: str | None = field(
        None,
        pattern=r"^[a-z0-9][\w./:@-]+$",
        description="Image to pull: `quay.io/jupyter/scipy-notebook:2026-09-01`.",
        change="running servers keep the old image until their user restarts",
    )
    bundled: BundledImage | None = field(
        None,
        description="An image that comes with this library, built with the one it is based on.",
        change="running servers keep the old image until their user restarts",
    )
    build: Path | None = field(
        None,
        description="Folder with a Dockerfile of your own: `images/course`.",
        change="running servers keep the old image until their user restarts",
    )
    base: Path | None = field(
        None,
        description=(
            "Folder built first and handed to `build` as BASE_IMAGE. Default: the bundled image "
            "that its Dockerfile names: `ARG BASE_IMAGE=pulumi-jupyterhub/notebook`."
        ),
        change="rebuilds the image; running servers keep the old one until their user restarts",
    )
    arguments: dict[str, str] = field(
        {},
        description="Build arguments of the Dockerfile, no secrets: `{VARIANT: gpu}`.",
        change="rebuilds the image; running servers keep the old one until their user restarts",
    )

    @property
    def built_from(self) -> str | None:
        """What is built, as the stack file says it."""
        if self.bundled:
            return f"bundled: {self.bundled.value}"
        return f"build: {self.build}" if self.build else None

    @property
    def folder(self) -> Path | None:
        """What is built, where something is."""
        return bundled_image(self.bundled.value) if self.bundled else self.build

    @property
    def base_folder(self) -> Path | None:
        """What is built before, where something is."""
        return self.base or (base_of(self.folder) if self.folder else None)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(map(bool, (self.reference, self.bundled, self.build))) != 1:
            raise ValueError(
                "give one of `reference` (to pull), `bundled` (an image of this library) and "
                "`build` (a folder of yours)"
            )
        if self.base and not self.build:
            raise ValueError("`base` goes with `build`")
        if self.arguments and self.reference:
            raise ValueError("`arguments` go with `bundled` or `build`; this one is built already")
        for folder in (self.folder, self.base):
            if folder and not (folder / "Dockerfile").is_file():
                raise ValueError(f"there is no {folder}/Dockerfile; give a folder that has one")
        return self


Parent = pulumi.Resource | None


@dataclass(frozen=True)
class Image:
    """An image on the engine: its reference, and the resources that put it there."""

    reference: str
    resources: tuple[pulumi.Resource, ...]


@dataclass(frozen=True)
class Build:
    """What an engine is asked to build: the tag, a folder, and the build arguments."""

    reference: str
    context: str
    arguments: dict[str, str]

    @classmethod
    def of(
        cls,
        folder: Path,
        egress: EgressArgs,
        base: str | None = None,
        arguments: Mapping[str, str] | None = None,
    ) -> Self:
        """The build of a folder, on a base image where it has one."""
        chosen = dict(arguments or {}) | ({"BASE_IMAGE": base} if base else {})
        digest = content_digest(folder, egress.ca_bundle, chosen)
        return cls(
            f"pulumi-jupyterhub/{folder.name}:{digest}",
            str(_staged(folder, egress.ca_bundle, digest)),
            egress.build_args() | chosen,
        )


class ImageStore:
    """Puts images on one engine, each once, however many components ask for it.

    Attributes:
        egress: how builds and containers reach the internet. Default: with an engine of this
            machine as your shell says, else directly.
    """

    def __init__(
        self, host: Place, egress: EgressArgs | None = None, parent: Parent = None
    ) -> None:
        self._host = host
        is_here = isinstance(host, DockerHost) and host.is_here
        self.egress = egress or (EgressArgs.of_environment() if is_here else EgressArgs())
        self._parent = parent
        self._images: dict[str, Image] = {}

    def get(self, args: ImageArgs) -> Image:
        """The image for these args, pulled or built if nobody asked before."""
        if isinstance(self._host, KubernetesCluster):
            return _from_registry(args)
        if args.reference:
            return self._pulled(args.reference)
        assert args.folder is not None  # validated
        base = self._built(args.base_folder) if args.base_folder else None
        return self._built(args.folder, base, args.arguments)

    def _pulled(self, reference: str) -> Image:
        import pulumi_docker as docker  # there, or there would be no DockerHost

        if reference not in self._images:
            made = docker.RemoteImage(
                self._host.named(f"image-{_slug(reference)}"),
                name=reference,
                keep_locally=True,  # removing an image that servers may run helps nobody
                opts=self._host.options(self._parent),
            )
            self._images[reference] = Image(reference, (made,))
        return self._images[reference]

    def _built(
        self, folder: Path, base: Image | None = None, arguments: Mapping[str, str] | None = None
    ) -> Image:
        import pulumi_docker as docker

        chosen = dict(arguments or {})
        build = Build.of(folder, self.egress, base.reference if base else None, chosen)
        if build.reference not in self._images:
            made = docker.Image(
                self._host.named("-".join(("image", folder.name, *_variant(chosen)))),
                image_name=build.reference,
                skip_push=True,
                build=docker.DockerBuildArgs(context=build.context, args=build.arguments),
                opts=pulumi.ResourceOptions.merge(
                    self._host.options(self._parent),
                    pulumi.ResourceOptions(depends_on=list(base.resources) if base else []),
                ),
            )
            resources = (*(base.resources if base else ()), made)
            self._images[build.reference] = Image(build.reference, resources)
        return self._images[build.reference]


def builds(source: ImageArgs, egress: EgressArgs) -> Iterator[Build]:
    """What an engine is asked to build for an image, its base first; nothing for one to pull."""
    if source.folder is None:
        return
    base = Build.of(source.base_folder, egress) if source.base_folder else None
    if base:
        yield base
    yield Build.of(source.folder, egress, base.reference if base else None, source.arguments)


def _variant(arguments: Mapping[str, str]) -> Iterator[str]:
    """Tells resources apart that are built from one folder with other arguments."""
    if arguments:
        yield hashlib.sha256(repr(sorted(arguments.items())).encode()).hexdigest()[:6]


def _from_registry(args: ImageArgs) -> Image:
    """A cluster's nodes pull by themselves, from a registry: nothing is built there."""
    if not args.reference:
        raise ConfigError(f"found {args.built_from}; allowed: {REGISTRY_ONLY}")
    return Image(args.reference, ())


def content_digest(folder: Path, ca_bundle: Path | None, build_args: Mapping[str, str]) -> str:
    """Twelve hex digits that change when what goes into the build changes.

    The digest is the tag, so the preview shows which containers a changed image replaces.
    """
    digest = hashlib.sha256(repr(sorted(build_args.items())).encode())
    for path in _content(folder):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)} {_is_script(content)} ".encode() + content)
    if ca_bundle:
        digest.update(ca_bundle.read_bytes())
    return digest.hexdigest()[:12]


def _is_script(content: bytes) -> bool:
    """What may be executed. Files' own bits don't survive a wheel."""
    return content.startswith(b"#!")


def _content(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(p in _NOT_CONTENT or p.endswith(".egg-info") for p in parts):
            yield path


def _staged(folder: Path, ca_bundle: Path | None, digest: str) -> Path:
    """A copy of the folder to build from, with the extra certificates beside the Dockerfile.

    The folder's own tree stays as it is, and the path changes with the content only. It is in the
    program's folder, where the engine's plugins run, too.
    """
    target = _CONTEXTS / f"{folder.name}-{digest}"
    if target.is_dir():
        return target
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    partial.mkdir(parents=True)
    (_CONTEXTS.parent / ".gitignore").write_text("*\n")  # nothing of it belongs into a repository
    for path in _content(folder):
        copy = partial / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        copy.chmod(0o755 if _is_script(copy.read_bytes()) else 0o644)
    if ca_bundle:
        shutil.copy(ca_bundle, partial / EXTRA_CA)
    try:
        partial.rename(target)  # at once, so that a killed run leaves no half context
    except OSError:  # another run was faster
        shutil.rmtree(partial)
    return target


def _slug(reference: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in reference)


def main() -> None:
    """Prints what CI needs to publish the images as JSON: tags, contexts, bases, arguments."""
    egress = EgressArgs.of_environment()
    folders = {path.parent.name: path.parent for path in Path("images").glob("*/Dockerfile")}
    tags = {name: content_digest(path, egress.ca_bundle, {}) for name, path in folders.items()}
    contexts = {
        name: str(_staged(folders[name], egress.ca_bundle, tag)) for name, tag in tags.items()
    }
    bases = {name: base.name for name, path in folders.items() if (base := base_of(path))}
    known = {"tags": tags, "contexts": contexts, "bases": bases}
    print(json.dumps(known | {"build_args": egress.build_args()}))


if __name__ == "__main__":
    main()
