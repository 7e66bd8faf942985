"""The environment that `pulumi` runs in, for `make` and for people who type `pulumi` themselves."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from pathlib import Path

from ..setup import paths
from ..setup.pulumi_cli import Pulumi

_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def variables(pulumi: Pulumi) -> dict[str, str]:
    """Only what differs from the user's own environment."""
    present = os.environ.get("PATH", "")
    missing = [folder for folder in pulumi.path if folder not in present.split(":")]
    found = {"PATH": ":".join([*missing, present]), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    if pulumi.own_language_host or pulumi.own_docker_plugin:
        # Nothing to download from: without this the engine tries for a while at each start.
        found["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    if not (os.environ.get("PULUMI_BACKEND_URL") or _is_logged_in()):
        state = paths.data() / "state"
        state.mkdir(exist_ok=True)
        found["PULUMI_BACKEND_URL"] = f"file://{state}"
    if not any(os.environ.get(f"PULUMI_CONFIG_PASSPHRASE{x}") for x in ("", "_FILE")):
        found["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(_passphrase_file())
    return found | certificates()


def backend_file(stack: str) -> Path:
    """The file in the checkout that says where a stack's state is, so that everybody finds it."""
    return paths.ROOT / "stacks" / f"backend.{stack}"


def backend_of(stack: str) -> str | None:
    """Where a stack's state is, where the checkout says so (`make backend`)."""
    file = backend_file(stack)
    return file.read_text().strip() if file.exists() else None


def _is_logged_in() -> bool:
    """Whether the user chose a backend with `pulumi login`."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        return bool(json.loads((home / "credentials.json").read_text()).get("current"))
    except (OSError, ValueError):
        return False


def _passphrase_file() -> Path:
    """The passphrase of the stacks' secrets, made at first use and readable by its owner only."""
    file = paths.data() / "passphrase"
    if not file.exists():
        partial = file.with_name(f"{file.name}.{os.getpid()}")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_urlsafe(32) + "\n")
        with contextlib.suppress(FileExistsError):  # another first use was faster: its one counts
            os.link(partial, file)
        partial.unlink()
    return file


def certificates() -> dict[str, str]:
    """The certificates that this site's programs trust, for builds inside containers."""
    name = "PULUMI_JUPYTERHUB_CA_BUNDLE"
    if given := os.environ.get(name):
        return {name: given}
    bundles = (os.environ.get(each, "") for each in _CA_VARIABLES)
    return next(({name: bundle} for bundle in bundles if Path(bundle or "/-").is_file()), {})
