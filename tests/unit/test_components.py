"""The components under Pulumi's mocks: which resources, with which options."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components import TraefikProxyArgs, config
from components.traefik_proxy.docker import static_flags

FIXTURES = Path(__file__).parent / "fixtures"


class Recorder(pulumi.runtime.Mocks):
    """Answers for the engine and keeps what was asked for."""

    def __init__(self) -> None:
        self.inputs: dict[str, dict[str, Any]] = {}
        self.options: dict[str, pulumi.ResourceOptions] = {}
        self.types: dict[str, str] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.inputs[args.name] = dict(args.inputs)
        self.types[args.name] = args.typ
        return f"{args.name}-id", dict(args.inputs)

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        raise AssertionError("components look nothing up: a preview needs no host")

    def transform(self, args: pulumi.ResourceTransformationArgs) -> None:
        self.options[args.name] = args.opts


def compose(name: str) -> tuple[Recorder, dict[str, Any]]:
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, project="jupyterhub", stack="test", preview=False)
    pulumi.runtime.register_stack_transformation(recorder.transform)
    from stacks import local

    outputs: dict[str, Any] = {}

    @pulumi.runtime.test
    def run() -> Any:
        exports = local.compose("test", config.read_file(FIXTURES / name))
        return pulumi.Output.all(**exports).apply(outputs.update)

    run()
    return recorder, outputs


@pytest.fixture(scope="module")
def minimal() -> Iterator[tuple[Recorder, dict[str, Any]]]:
    yield compose("local.happy.minimal.yaml")


@pytest.fixture(scope="module")
def full() -> Iterator[tuple[Recorder, dict[str, Any]]]:
    yield compose("local.happy.full.yaml")


KEPT = ["homes", "shared", "state", "certificates", "uploads"]


@pytest.mark.parametrize("name", KEPT)
def test_data_is_protected_and_outlives_its_resource(minimal: Any, name: str) -> None:
    recorder, _ = minimal
    options = recorder.options[name]
    assert recorder.inputs[name]["name"] == f"jupyterhub-test-{name}"
    assert options.protect
    assert options.retain_on_delete
    assert set(options.ignore_changes) >= {"driver", "driverOpts", "labels"}


def test_data_is_where_the_stack_says(full: Any) -> None:
    recorder, _ = full
    assert recorder.inputs["homes"]["driverOpts"]["device"] == "/data/homes"
    assert recorder.inputs["shared"]["name"] == "old-shared"
    assert not recorder.options["state"].protect


def test_what_has_a_port_goes_before_its_successor_comes(minimal: Any) -> None:
    recorder, _ = minimal
    for name in ("hub", "proxy"):
        assert recorder.options[name].delete_before_replace


def test_the_guard_is_never_missing(minimal: Any) -> None:
    recorder, _ = minimal
    assert not recorder.options["hub-guard"].delete_before_replace
    assert recorder.inputs["hub-guard"].get("name") is None  # two may be there for a moment


def test_the_guard_opens_what_the_stack_names_and_the_way_out(full: Any) -> None:
    recorder, _ = full
    told = json.loads(recorder.inputs["hub-guard"]["uploads"][0]["content"])["network"]["reach"]
    named = ["10.1.0.0/16", "10.2.3.4:5432", "db.example.org:5432"]
    assert told == [*named, "mirror.example.org:443", "proxy.example.org:3128"]


def test_users_network_has_no_way_between_containers(minimal: Any) -> None:
    recorder, _ = minimal
    options = recorder.inputs["hub-users"]["options"]
    assert options["com.docker.network.bridge.enable_icc"] == "false"


def test_everything_is_labelled_and_has_a_parent(full: Any) -> None:
    recorder, _ = full
    for name, kind in recorder.types.items():
        if kind in ("docker:index/container:Container", "docker:index/network:Network"):
            labels = {label["label"]: label["value"] for label in recorder.inputs[name]["labels"]}
            assert labels["pulumi-jupyterhub.deployment"] == "jupyterhub-test"
            assert recorder.options[name].parent is not None
            assert recorder.options[name].provider is not None


def test_memory_always_comes_with_swap(full: Any) -> None:
    recorder, _ = full
    for inputs in recorder.inputs.values():
        assert inputs.get("memory") == inputs.get("memorySwap")


def test_workers_hold_nothing_of_the_hub(full: Any) -> None:
    recorder, _ = full
    worker = recorder.inputs["dask-worker-0"]
    assert [mount["readOnly"] for mount in worker["volumes"]] == [True]
    assert worker["user"] == "1000:100"
    assert not worker.get("uploads")
    assert len([name for name in recorder.inputs if name.startswith("dask-worker-")]) == 4


def test_no_worker_gets_the_schedulers_address(full: Any) -> None:
    recorder, _ = full
    (at,) = recorder.inputs["dask-scheduler"]["networksAdvanced"]
    (ranges,) = recorder.inputs["dask"]["ipamConfigs"]
    assert ip_address(at["ipv4Address"]) in ip_network(ranges["subnet"])
    assert ip_address(at["ipv4Address"]) not in ip_network(ranges["ipRange"])
    assert ip_network(ranges["ipRange"]).subnet_of(ip_network(ranges["subnet"]))


def test_outputs_have_their_names_everywhere(minimal: Any, full: Any) -> None:
    names = {"url", "admin_user", "class_password", "admin_password", "next_steps"}
    for _, outputs in (minimal, full):
        assert set(outputs) == names
    assert full[1]["class_password"] is None
    assert minimal[1]["url"] == "http://127.0.0.1:8000"


def test_edge_listens_on_this_machine_only_and_shows_no_dashboard(minimal: Any) -> None:
    flags = minimal[0].inputs["proxy"]["command"]
    assert "--entrypoints.web.address=127.0.0.1:8000" in flags
    assert "--entrypoints.auth_api.address=127.0.0.1:8099" in flags
    assert "--api.dashboard=false" in flags
    assert "--accesslog=true" in flags
    assert "docker.sock" not in str(minimal[0].inputs["proxy"])


def test_any_file_name_gets_through_the_edge(minimal: Any, full: Any) -> None:
    """Where names are read: at the entry point that browsers' requests arrive at."""
    for found, entry_point in ((minimal, "web"), (full, "websecure")):
        paths = f"--entrypoints.{entry_point}.http.encodedcharacters."
        flags = found[0].inputs["proxy"]["command"]
        said = dict(flag.removeprefix(paths).split("=") for flag in flags if paths in flag)
        assert said.pop("allowencodednullcharacter") == "false"
        assert set(said.values()) == {"true"}
        assert {"allowencodedpercent", "allowencodedslash", "allowencodedhash"} < set(said)


def test_a_sites_proxy_and_mirror_reach_builds_hub_and_users(full: Any) -> None:
    inputs = full[0].inputs
    assert (
        inputs["jupyterhub-test-image-hub"]["build"]["args"]["HTTP_PROXY"]
        == "http://proxy.example.org:3128"
    )
    assert "HTTP_PROXY=http://proxy.example.org:3128" in inputs["hub"]["envs"]
    assert "NO_PROXY=localhost,localhost,127.0.0.1,10.231.0.1" in inputs["hub"]["envs"]
    uploads = inputs["hub"]["uploads"]["value"]  # a secret as a whole
    settings = json.loads(uploads[0]["content"])["environment"]
    assert settings["http_proxy"] == "http://proxy.example.org:3128"
    assert settings["PIP_INDEX_URL"] == "https://mirror.example.org/simple"


def test_tls_redirects(full: Any) -> None:
    flags = full[0].inputs["proxy"]["command"]
    assert "--entrypoints.web.http.redirections.entrypoint.scheme=https" in flags
    assert "--certificatesresolvers.acme.acme.storage=/certificates/acme.json" in flags


def acme(**more: Any) -> list[str]:
    tls = {"kind": "acme", "email": "a@example.org", "domains": ["hub.example.org"]} | more
    key = ("kid-1", "aG1hYw") if more.get("eab_key") else (None, None)
    args = TraefikProxyArgs(tls=tls)
    return static_flags(args, ["hub.example.org"], "a@example.org", *key)


def test_each_authority_keeps_its_certificates_in_a_file_of_its_own() -> None:
    """In a common one Traefik would go on with what a staging authority gave."""
    resolver = "--certificatesresolvers.acme.acme"
    own = acme(acme_server="https://ca.example.org/acme", acme_ca="PEM")
    found = [acme(), acme(staging=True), own]
    assert f"{resolver}.storage=/certificates/acme.json" in found[0]
    assert f"{resolver}.caserver=https://acme-staging-v02.api.letsencrypt.org/directory" in found[1]
    stored = {flag for flags in found for flag in flags if ".storage=" in flag}
    assert len(stored) == 3
    assert f"{resolver}.cacertificates=/run/tls/authority.pem" in own
    assert not [flag for flag in found[0] if "cacertificates" in flag]


def test_an_account_of_an_authority_is_told_to_it() -> None:
    eab = "--certificatesresolvers.acme.acme.eab"
    flags = acme(eab_key_id="kid-1", eab_key="aG1hYw")
    assert {f"{eab}.kid=kid-1", f"{eab}.hmacencoded=aG1hYw"} <= set(flags)
    assert not [flag for flag in acme() if flag.startswith(eab)]
