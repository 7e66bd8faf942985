"""Args of buckets: stores of others, or of the stack's own cloud, as folders in homes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Annotated, Any, Self

from pydantic import StringConstraints, model_validator

from ..args import Args, InputSecret, InputStr, field, matching

MOUNT_REPLACED = "replaces the container that mounts: the folders are away for some seconds"
BucketName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,20}$")]


class BucketKind(str, Enum):
    """What a bucket is in."""

    s3 = "s3"
    gcs = "gcs"
    swift = "swift"
    volume = "volume"


class BucketAccess(str, Enum):
    """Who sees what of it."""

    shared = "shared"
    private = "private"
    scratch = "scratch"


class BucketArgs(Args):
    """A bucket that users find in their homes as `cloud-storage/<name>`.

    Its credentials are the hub's: no user's container has them.
    """

    kind: BucketKind = field(
        description=(
            "`s3` (AWS, Ceph, MinIO and others), `gcs` (Google Cloud), `swift` (OpenStack), or "
            "`volume`: the one that the stack makes as `volumes.more.<name>` of the same name."
        ),
        change=MOUNT_REPLACED,
    )
    bucket: InputStr | None = field(
        None,
        description="Its name at the store; all kinds but `volume` need it.",
        change=MOUNT_REPLACED,
    )
    path: InputStr = field(
        "", description="A folder in it. Default: all of it.", change=MOUNT_REPLACED
    )
    access: BucketAccess = field(
        BucketAccess.shared,
        description=(
            "`shared`: everybody sees the same; `private`: each user has a folder of their own, "
            "and sees no other; `scratch`: everybody reads all, and writes below their own name, "
            "as `cloud-storage/my-<name>`."
        ),
        change=MOUNT_REPLACED + "; files stay where they are in the bucket",
    )
    writable: bool = field(
        False,
        description="`shared`: everybody may write, and delete what others wrote.",
        change=MOUNT_REPLACED,
    )
    endpoint: InputStr | None = field(
        None,
        description=(
            "`s3`: address of the store, `https://s3.example.org`, default AWS's; `swift`: "
            "Keystone's address, `https://keystone.example.org/v3`."
        ),
        change=MOUNT_REPLACED,
    )
    region: InputStr | None = field(
        None, description="Region, where the store has some.", change=MOUNT_REPLACED
    )
    access_key: InputSecret | None = field(
        None,
        description="`s3`: the access key's id; `swift`: an application credential's id.",
        change=MOUNT_REPLACED,
    )
    secret_key: InputSecret | None = field(
        None,
        description=(
            "`s3` and `swift`: the secret to it. Set it with `pulumi config set --secret --path "
            "jupyterhub:hub.files.buckets.<name>.secret_key`."
        ),
        change=MOUNT_REPLACED,
    )
    service_account: InputSecret | None = field(
        None,
        description="`gcs`: a service account's key, the JSON text that Google Cloud gives.",
        change=MOUNT_REPLACED,
    )
    anonymous: bool = field(
        False,
        description="`s3` and `gcs`: open data, read without credentials.",
        change=MOUNT_REPLACED,
    )
    options: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]+$")], InputSecret] = (
        field(
            {},
            description=(
                "Further options by the names that rclone's page on the store has: "
                "`{provider: Ceph}`. Treated as secrets."
            ),
            change=MOUNT_REPLACED,
        )
    )

    _bucket = matching(r"[A-Za-z0-9][\w.-]*", "bucket", form="letters, digits and . _ -")
    _path = matching(
        r"[^/\s][^\n]*[^/\s]|[^/\s]?", "path", form="`folder/folder`, no / at its ends"
    )
    _endpoint = matching(r"https?://\S+", "endpoint", form="an address like https://s3.example.org")

    @model_validator(mode="after")
    def _says_what_its_kind_needs(self) -> Self:
        wrong = [f"needs {name}" for name in self._needed() if not getattr(self, name)]
        wrong += [f"takes no {name}" for name in self._foreign() if getattr(self, name)]
        if wrong:
            raise ValueError(f"kind `{self.kind.value}` {' and '.join(wrong)}")
        if self.writable and (self.access is not BucketAccess.shared or self.anonymous):
            raise ValueError(
                "`writable` is for access `shared` with credentials; in `private` and `scratch` "
                "each user writes in a folder of their own"
            )
        if self.anonymous and self.access is not BucketAccess.shared:
            raise ValueError("nobody can write without credentials: with `anonymous`, `shared`")
        return self

    def _needed(self) -> list[str]:
        keys = {
            BucketKind.s3: ["access_key", "secret_key"],
            BucketKind.swift: ["access_key", "secret_key"],
            BucketKind.gcs: ["service_account"],
            BucketKind.volume: [],
        }[self.kind]
        own = [] if self.kind is BucketKind.volume else ["bucket"]
        own += ["endpoint"] if self.kind is BucketKind.swift else []
        return own + ([] if self.anonymous else keys)

    def _foreign(self) -> list[str]:
        of_key = ["access_key", "secret_key"]
        return {
            BucketKind.s3: ["service_account"],
            BucketKind.swift: ["service_account", "anonymous"],
            BucketKind.gcs: [*of_key, "endpoint", "region"],
            BucketKind.volume: [
                *("bucket", "endpoint", "region", *of_key, "service_account", "anonymous"),
                *("options",),
            ],
        }[self.kind] + ([*of_key, "service_account"] if self.anonymous else [])

    @property
    def remote(self) -> dict[str, Any]:
        """rclone's options; a `volume` has them from the cloud that made it."""
        if self.kind is BucketKind.gcs:
            found: dict[str, Any] = {
                "type": "google cloud storage",
                "bucket_policy_only": "true",
                "service_account_credentials": self.service_account,
                "anonymous": "true" if self.anonymous else None,
            }
        elif self.kind is BucketKind.swift:
            found = {
                "type": "swift",
                "auth": self.endpoint,
                "application_credential_id": self.access_key,
                "application_credential_secret": self.secret_key,
                "region": self.region,
            }
        else:
            found = {
                "type": "s3",
                "provider": "Other" if self.endpoint else "AWS",
                "endpoint": self.endpoint,
                "region": self.region,
                "access_key_id": self.access_key,
                "secret_access_key": self.secret_key,
                "no_check_bucket": "true",
            }
        return {k: v for k, v in found.items() if v is not None} | self.options

    def entries(self, name: str) -> list[str]:
        """What a user finds under `cloud-storage/`."""
        return [name, *([f"my-{name}"] if self.access is BucketAccess.scratch else [])]


def found_twice(buckets: Mapping[str, BucketArgs]) -> Iterator[tuple[str, str]]:
    """Buckets whose second folder has the name of another bucket, with that name."""
    for name, bucket in buckets.items():
        for entry in bucket.entries(name)[1:]:
            if entry in buckets:
                yield name, entry
