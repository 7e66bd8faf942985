"""Args in a program of one's own: Outputs where they make sense, one clear error elsewhere."""

from __future__ import annotations

import pulumi
import pytest

import components as hub
from components.errors import ConfigError

SSH = {"allow_from": ["192.0.2.7/32"]}
LATER = pulumi.Output.from_input("known while the engine runs")


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (hub.DockerHostArgs, {"host": LATER, "address": LATER}),
        (hub.HostArgs, {"address": LATER}),
        (hub.NetworkArgs, {"kind": "existing", "network": LATER, "subnet": LATER}),
        (hub.NetworkArgs, {"security_groups": [LATER]}),
        (hub.CloudVMArgs, {"image": LATER, "machine_type": LATER, "ssh": SSH}),
        (hub.CloudVMArgs, {"metadata": {"a": LATER}, "ssh": SSH}),
        (hub.SharedVolumeArgs, {"volume": LATER}),
        (hub.SharedVolumeArgs, {"path": LATER}),
        (hub.DnsArgs, {"kind": "managed", "name": LATER, "zone": LATER}),
        (hub.TlsArgs, {"kind": "acme", "email": LATER, "domains": [LATER]}),
        (hub.TlsArgs, {"kind": "provided", "certificate": LATER, "key": LATER}),
        (hub.RouteArgs, {"name": "own", "url": LATER}),
        (hub.HubSecretsArgs, {"cookie_secret": LATER, "crypt_key": LATER}),
        (hub.JupyterHubHostArgs, {"title": LATER, "environment": {"A": LATER}}),
    ],
)
def test_outputs_where_another_program_wires_one(model: type, values: dict[str, object]) -> None:
    made = model(**values)
    assert all(getattr(made, name) == value for name, value in values.items() if value is LATER)


@pytest.mark.parametrize(
    ("model", "values", "path"),
    [
        (hub.CloudVMArgs, {"root_disk": LATER}, "CloudVMArgs.root_disk"),
        (hub.CloudVMArgs, {"size": {"cpus": LATER}}, "CloudVMArgs.size.cpus"),
        (hub.JupyterHubHostArgs, {"images": [{"source": LATER}]}, "JupyterHubHostArgs.images[0]"),
        (hub.TraefikProxyArgs, {"http_port": LATER}, "TraefikProxyArgs.http_port"),
    ],
)
def test_an_output_where_a_plain_value_is_needed(
    model: type, values: dict[str, object], path: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        model(**values)
    assert path in str(caught.value)
    assert "found an Output; allowed: a plain value" in str(caught.value)
    assert isinstance(caught.value, pulumi.RunError)  # Pulumi prints it without a traceback


def test_all_faults_at_once_with_their_paths() -> None:
    with pytest.raises(ConfigError) as caught:
        hub.CloudVMArgs(siz={}, root_disk=1, ssh={"port": 0})
    report = str(caught.value)
    assert "CloudVMArgs has 3 mistakes. Nothing was changed." in report
    assert "CloudVMArgs.siz: unknown key. Did you mean `size`?" in report
    assert "CloudVMArgs.ssh.port: found 0; allowed: greater than or equal to 1" in report


@pytest.mark.parametrize(
    ("model", "values", "says"),
    [
        (hub.SharedVolumeArgs, {"volume": "a1", "path": "/x"}, "either `volume`"),
        (hub.ImageArgs, {"reference": "a:1", "build": "."}, "one of `reference`"),
        (hub.SharedVolumeArgs, {"kind": "block", "volume": LATER}, "volume is an Output"),
    ],
)
def test_args_that_exclude_each_other(model: type, values: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        model(**values)


def test_what_is_known_is_checked_as_before() -> None:
    with pytest.raises(ConfigError, match="`unix:///path` of this machine"):
        hub.DockerHostArgs(host="tcp://192.0.2.7:2375")
    with pytest.raises(ConfigError, match="a full name in small letters"):
        hub.DnsArgs(kind="none", name="HUB")


def test_a_secret_is_never_in_an_error() -> None:
    with pytest.raises(ConfigError) as caught:
        hub.HubSecretsArgs(cookie_secret=["hunter2"], crypt_key="x" * 64)
    assert "HubSecretsArgs.cookie_secret: found a secret" in str(caught.value)
    assert "hunter2" not in str(caught.value)
