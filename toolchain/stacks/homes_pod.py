"""A short-lived pod by which homes in a cluster are reached: the hub's own sees none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..setup.steps import Problem
from .cluster import HUB, Cluster

HOMES = "/srv/homes"  # where the hub's code expects them
LONGEST = 24 * 3600  # seconds: a pod that was forgotten ends by itself
PATIENCE = 300  # seconds
# To read homes that are closed to all but their users; and to write what becomes theirs. FSETID:
# without it the kernel takes the bit from folders whose files belong to the folder's group.
_READS, _WRITES = ("DAC_OVERRIDE",), ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID")


class HomesPod:
    """One pod at a time, for the claim that was asked for last."""

    def __init__(self, cluster: Cluster, writes: bool) -> None:
        self.name = f"{cluster.deployment}-graduation"
        self.writes = writes
        self._cluster, self._claim = cluster, ""

    def mount(self, claim: str) -> tuple[str, ...]:
        """The words before a command for which this claim is the folder of homes."""
        if claim != self._claim:
            self._cluster.ask(*self._removal)  # also what a run left that was killed
            self._claim = claim
            self._start()
        return self._cluster.into(f"pod/{self.name}")

    def close(self) -> None:
        """Takes the pod away, if there is one; why a command ended is not hidden by that."""
        if self._claim and self._cluster.run(*self._removal).returncode:
            print(f"  The pod {self.name} could not be deleted; it ends by itself within a day.")

    @property
    def _removal(self) -> tuple[str, ...]:
        return ("delete", "pod", self.name, "--ignore-not-found", "--timeout=120s")

    def _start(self) -> None:
        told = json.loads(self._cluster.ask("get", HUB, "--output=json"))
        made = manifest(self.name, self._claim, told["spec"]["template"]["spec"], self.writes)
        self._cluster.ask("create", "--filename=-", given=json.dumps(made))
        until = ("--for=condition=Ready", f"--timeout={PATIENCE}s")
        if self._cluster.run("wait", f"pod/{self.name}", *until).returncode:
            raise Problem(
                f"The claim {self._claim} can't be reached: the pod {self.name} did not start "
                f"within {PATIENCE // 60} minutes. The cluster says: {self._reason()}. Is a server "
                "of its user running? Then stop it."
            )

    def _reason(self) -> str:
        what = ("--field-selector", f"involvedObject.name={self.name}")
        form = "--output=jsonpath={.items[-1:].message}"
        return self._cluster.run("get", "events", *what, form).stdout.strip() or "nothing"


def manifest(name: str, claim: str, hub: Mapping[str, Any], writes: bool) -> dict[str, Any]:
    """A pod of the hub's own image with a claim of homes, no way to the cluster's API, and no work.

    `hub` is what the hub's own pod is: its image may need a login, its nodes tolerations.
    """
    model = next(each for each in hub["containers"] if each["name"] == "hub")
    container = {
        "name": "homes",
        **{key: model[key] for key in ("image", "imagePullPolicy") if key in model},
        "command": ["sleep", str(LONGEST)],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": list(_WRITES if writes else _READS)},
        },
        "volumeMounts": [{"name": "homes", "mountPath": HOMES, "readOnly": not writes}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {
                "app.kubernetes.io/managed-by": "pulumi-jupyterhub",
                "pulumi-jupyterhub/role": "graduation",
            },
        },
        "spec": {
            **{key: hub[key] for key in ("imagePullSecrets", "tolerations") if key in hub},
            "activeDeadlineSeconds": LONGEST,
            "automountServiceAccountToken": False,
            "containers": [container],
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "volumes": [{"name": "homes", "persistentVolumeClaim": {"claimName": claim}}],
        },
    }
