"""Two hubs of one name: which records lead to which, and what both have to agree on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest

from components import DnsArgs
from components.config import parse, read_file
from components.dns.component import DnsName
from components.errors import ConfigError
from components.platforms.site import Site, SiteArgs
from tests.unit.test_cloud import surround
from tests.unit.test_components import Recorder
from tests.unit.test_stack_files import ROOT

MANAGED = {"kind": "managed", "name": "hub.example.org", "zone": "Z0123"}
FIXTURE = Path(__file__).parent / "fixtures" / "aws.happy.minimal.yaml"


def named(**dns: Any) -> Recorder:
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, project="jupyterhub", stack="test", preview=False)
    pulumi.runtime.register_stack_transformation(recorder.transform)

    @pulumi.runtime.test
    def run() -> None:
        site = Site.connect("aws", "jupyterhub-a", SiteArgs(zone="eu-central-1a"))
        address = pulumi.Output.from_input("192.0.2.9")
        DnsName("dns", DnsArgs(**(MANAGED | dns)), address, site)

    run()
    return recorder


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    surround(monkeypatch, tmp_path)


def record(recorder: Recorder) -> dict[str, Any]:
    """The record: the component above it has the same name, and no inputs."""
    (kind,) = [kind for kind in recorder.types.values() if kind.endswith(":Record")]
    assert kind
    return recorder.inputs["dns"]


def test_the_name_leads_to_the_primary_while_it_answers() -> None:
    recorder = named(failover={"role": "primary", "every": 10}, ttl=60)
    assert record(recorder)["failoverRoutingPolicies"] == [{"type": "PRIMARY"}]
    assert record(recorder)["setIdentifier"] == "jupyterhub-a"
    assert record(recorder)["healthCheckId"] == "dns-health-id"
    health = recorder.inputs["dns-health"]
    assert {key: health[key] for key in health if key not in ("tags", "region")} == {
        "type": "HTTPS",
        "ipAddress": "192.0.2.9",  # not the name, which may lead to the other one
        "fqdn": "hub.example.org",
        "port": 443,
        "resourcePath": "/hub/health",
        "requestInterval": 10,
        "failureThreshold": 3,
    }


def test_the_secondary_waits_unasked() -> None:
    recorder = named(failover={"role": "secondary"})
    assert record(recorder)["failoverRoutingPolicies"] == [{"type": "SECONDARY"}]
    assert "dns-health" not in recorder.inputs
    assert recorder.options["dns"].delete_before_replace


def test_one_hub_has_a_plain_record() -> None:
    assert "setIdentifier" not in record(named())


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="failover goes with kind `managed`"):
        DnsArgs(failover={"role": "primary"})
    with pytest.raises(ConfigError, match="every is 10 or 30"):
        DnsArgs(**MANAGED, failover={"role": "primary", "every": 20})
    stack = read_file(FIXTURE).model_dump(exclude_unset=True)
    stack["dns"] = MANAGED | {"failover": {"role": "primary"}}
    with pytest.raises(ConfigError, match=r"proxy\.tls\.dns: found nothing; allowed: a DNS prov"):
        parse(stack, "here")
    stack["proxy"]["tls"]["dns"] = {"provider": "route53"}
    parse(stack, "here")


def test_both_stack_files_agree_on_all_but_place_and_role() -> None:
    texts = [
        (ROOT / "stacks/catalogue" / f"two-sites-{site}.yaml").read_text().splitlines()
        for site in ("a", "b")
    ]
    differing = [pair for pair in zip(*texts, strict=True) if len(set(pair)) > 1]
    told = [pair[0].split("#")[0].strip() for pair in differing]
    assert [text for text in told if text] == [
        "jupyterhub:site: {zone: eu-central-1a}",
        "failover: {role: primary}",
    ]
