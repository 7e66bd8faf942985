"""A kubeconfig whose certificates are in it, as `kubectl config view --flatten` makes one."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError

_FILES = ("certificate-authority", "client-certificate", "client-key")


def portable(file: Path) -> str:
    """The file's text; certificates that it names as files are put in.

    minikube and others name files. Their paths go by the kubeconfig's folder, and mean nothing on
    a colleague's computer or in CI, where the state is used, too.

    Raises:
        ConfigError: a file that it names is not there.
    """
    text = file.read_text()
    document = yaml.safe_load(text)
    named = list(_naming(document))
    for section, key in named:
        section[f"{key}-data"] = _content(file, str(section.pop(key)))
    return yaml.safe_dump(document, sort_keys=False) if named else text


def _naming(document: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """The sections that name files, with the key."""
    known = document if isinstance(document, dict) else {}
    for group, inner in (("clusters", "cluster"), ("users", "user")):
        for entry in known.get(group) or []:
            section = entry.get(inner) or {}
            yield from ((section, key) for key in _FILES if section.get(key))


def _content(kubeconfig: Path, name: str) -> str:
    file = kubeconfig.parent / name  # an absolute one stays as it is
    if not file.is_file():
        raise ConfigError(
            f"jupyterhub:cluster.kubeconfig_file: found {kubeconfig}, which names {file}, and that "
            "is not there; allowed: a kubeconfig whose files are there, or that has all in it "
            "(kubectl config view --flatten --minify). Nothing was changed."
        )
    return base64.b64encode(file.read_bytes()).decode()
