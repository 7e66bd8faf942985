"""Args of what users find in their homes."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import StringConstraints, model_validator

from ..args import Args, Bytes, field
from ..buckets.args import BucketArgs, BucketName, found_twice
from .effects import HUB_REPLACED, NEXT_START
from .login import LoginArgs, LoginKind, UserName


class GroupArgs(Args):
    """People who work together: a folder `group-<name>` in their homes, which all may write."""

    members: list[UserName] = field(
        [],
        description="Names of its members.",
        change=NEXT_START + "; files stay; one taken away ends the group's server, see `together`",
    )
    provider_groups: list[str] = field(
        [],
        description=(
            "With `oidc`: groups of the provider whose members belong to it as well, by the "
            "provider's names. Who decides there who is in them opens this folder. Default: none."
        ),
        change=NEXT_START + "; files stay; who is in no more loses the common server",
    )
    together: bool = field(
        False,
        description=(
            "A server that the group has in common, where several people work in one notebook at "
            "the same time. Its image needs `jupyter-collaboration`, as `images/notebook` has. "
            "Needs `hub.subdomains` or `hub.shared_origin`."
        ),
        change=HUB_REPLACED + "; `false` ends the group's server, files stay",
    )
    image: str | None = field(
        None,
        description="Title of the common server's image. Default: the first of `hub.images`.",
        change=NEXT_START,
    )
    size: str | None = field(
        None,
        description="Title of the common server's size. Default: the image's, or the first.",
        change=NEXT_START,
    )

    @model_validator(mode="after")
    def _is_for_a_server(self) -> Self:
        if (self.image or self.size) and not self.together:
            raise ValueError("`image` and `size` are the common server's: add `together: true`")
        return self

    def document(self, name: str, login: LoginArgs) -> dict[str, Any]:
        """What the hub is told (hubkit.settings.Group).

        With a provider JupyterHub's own groups are the provider's, which may be called anything;
        else they are the admin page's, where the same name is meant.
        """
        hub_groups = self.provider_groups if login.kind is LoginKind.oidc else [name]
        return self.model_dump(exclude={"provider_groups"}) | {"hub_groups": hub_groups}


class ExamplesArgs(Args):
    """Notebooks from a git repository, in everybody's home as `examples/`, to read and copy."""

    repository: str = field(
        pattern=r"^https?://\S+$",
        description="Address of the repository.",
        change="replaces the container that fetches it; `examples/` changes in running servers",
    )
    branch: str = field(
        "main",
        pattern=r"^[\w][\w./-]*$",
        description="Branch or tag.",
        change="replaces the container that fetches it; `examples/` changes in running servers",
    )
    every: int = field(
        300,
        ge=30,
        unit="seconds",
        description="How often to look for changes.",
        change="replaces the container that fetches it",
    )


class FilesArgs(Args):
    """What users find in their homes besides their own files and `shared/`."""

    groups: dict[
        Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")], GroupArgs
    ] = field(
        {},
        description="Folders of groups, by name.",
        change=NEXT_START + "; a group that is taken away keeps its files",
    )
    examples: ExamplesArgs | None = field(
        None, description="Notebooks from a git repository. Default: none.", change=NEXT_START
    )
    collect: str | None = field(
        None,
        pattern=r"^[A-Za-z0-9][\w -]{0,40}$",
        description=(
            "A folder in everybody's home, like `handed-in`, that admins can download of all as "
            "one archive. Default: none."
        ),
        change=NEXT_START,
    )
    buckets: dict[BucketName, BucketArgs] = field(
        {},
        description="Buckets that users find under `cloud-storage/`, by name.",
        change=NEXT_START + "; one that is taken away is only no longer shown",
    )
    disk_quota: Bytes | None = field(
        None,
        ge=256 * 1000**2,
        unit="bytes, or text like `10G`",
        description=(
            "Most that a user's home and `shared/<own name>` may take of the disk together, and a "
            "group's folder. Needs data on XFS with project quotas, as on a VM of this project. "
            "`scratch` and what is outside the home don't count. Default: no limit."
        ),
        change=NEXT_START + "; less than is used deletes nothing",
    )
    scratch: bool = field(
        False,
        description=(
            "A fast folder `scratch-not-kept` on the host's own disk, deleted when the user's "
            "last server stops."
        ),
        change=NEXT_START,
    )
    cvmfs: bool = field(
        False,
        description="`/cvmfs` of the host, which has to have it (`software.cvmfs` of a VM).",
        change=NEXT_START,
    )

    @model_validator(mode="after")
    def _buckets_have_names_of_their_own(self) -> Self:
        for name, entry in found_twice(self.buckets):
            raise ValueError(
                f"bucket `{name}` has access `scratch`, so users write to it as `{entry}`; another "
                "bucket has this name: give one of them another"
            )
        return self
