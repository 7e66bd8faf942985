"""What is refused before anything is made: the clients are real, their clouds are fakes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import moto
import pytest

from components import preflight
from components.preflight import Verdict, Wanted, openstack

GIB = 1024**3


class FakeApi:
    """Answers GET and POST by path; what it doesn't know is a 404."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.split("?")[0]
                known = path in outer.answers
                body = json.dumps(outer.answers.get(path, {})).encode()
                self.send_response((201 if self.command == "POST" else 200) if known else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("X-Subject-Token", "token")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.do_GET()

            def log_message(self, format: str, *args: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = FakeApi()
    yield made
    made.server.shutdown()


def words(wanted: Wanted) -> str:
    return "\n".join(preflight.refused(preflight.check(wanted)))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """EC2 as moto has it; it knows no service quotas, so those are AWS's defaults here."""
    defaults = {"L-1216C47A": 5.0, "L-0263D0A3": 5.0, "L-7A658B76": 50.0}
    monkeypatch.setattr(
        "components.preflight.aws._Account._limit",
        lambda self, code, service="ec2": int(defaults[code]),
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    with moto.mock_aws():
        yield boto3.client("ec2", region_name="eu-central-1")


AWS = Wanted(
    "aws",
    "",
    "eu-central-1",
    "eu-central-1a",
    machine_type="t3.large",
    cpus=2,
    volumes=(50,),
    addresses=1,
)


def test_aws_with_room(aws: Any) -> None:
    assert words(AWS) == ""


def test_aws_refuses_what_is_too_much(aws: Any) -> None:
    for _ in range(5):
        aws.allocate_address(Domain="vpc")
    found = words(
        Wanted(
            "aws",
            "",
            "eu-central-1",
            "eu-central-1a",
            None,
            "t9.huge",
            6,
            image="ami-none",
            addresses=1,
        )
    )
    assert "vm.machine_type: found t9.huge, which eu-central-1a does not have" in found
    assert "vm.image: found ami-none, which is not in eu-central-1" in found
    assert "vm.network.public_address: found 1 Elastic IPs; the quota is 5, 5 in use" in found
    assert "vm.size: found 6 vCPUs; the quota is 5, 0 in use" in found


def test_an_existing_vm_does_not_count_against_itself(aws: Any) -> None:
    for _ in range(5):
        aws.allocate_address(Domain="vpc")
    full = replace(AWS, name="jupyterhub-x-vm")
    assert "Elastic IPs" in words(full)
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "jupyterhub-x-vm"}]}]
    image = aws.describe_images()["Images"][0]["ImageId"]
    aws.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=tags)
    assert words(full) == ""


def test_without_credentials_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (finding,) = preflight.check(AWS)
    assert finding.verdict is Verdict.unknown and "no credentials" in finding.found


PROJECT = "/projects/my-project"


@pytest.fixture
def gcp(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    import google.auth
    from google.auth.credentials import AnonymousCredentials

    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", api.url)
    monkeypatch.setattr(google.auth, "default", lambda scopes: (AnonymousCredentials(), None))
    quotas = [
        {"metric": "CPUS", "limit": 24, "usage": 20},
        {"metric": "STATIC_ADDRESSES", "limit": 8, "usage": 8},
        {"metric": "SSD_TOTAL_GB", "limit": 500, "usage": 100},
    ]
    api.answers = {
        f"{PROJECT}/zones": {"items": [{"name": "europe-west1-b"}, {"name": "us-east1-b"}]},
        f"{PROJECT}/zones/europe-west1-b": {},
        f"{PROJECT}/zones/europe-west1-b/machineTypes/e2-standard-4": {},
        f"{PROJECT}/regions/europe-west1": {"quotas": quotas},
    }
    return api


def google(**more: Any) -> Wanted:
    place = {"region": "europe-west1", "zone": "europe-west1-b", "account": "my-project"}
    return Wanted(**{"platform": "gcp", **place, "machine_type": "e2-standard-4", **more})


def test_gcp(gcp: FakeApi) -> None:
    assert words(google(cpus=4, volumes=(50,))) == ""
    assert "5 vCPUs; the quota is 24, 20 in use; allowed: 4 vCPUs" in words(google(cpus=5))
    assert "1 addresses; the quota is 8, 8 in use" in words(google(addresses=1))
    assert "500 GiB of pd-balanced; the quota is 500, 100 in use" in words(google(volumes=(500,)))
    assert "found e9-huge, which europe-west1-b does not have" in words(
        google(machine_type="e9-huge")
    )
    near = words(google(zone="europe-west1-z"))
    assert "site.zone: found europe-west1-z; allowed: a zone: europe-west1-b" in near


@pytest.fixture
def nova(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """Keystone, Nova, Cinder, Glance and Neutron, as far as they are asked."""
    for name, value in {
        "OS_AUTH_URL": f"{api.url}/v3",
        "OS_USERNAME": "anna",
        "OS_PASSWORD": "x",
        "OS_PROJECT_NAME": "class",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
    }.items():
        monkeypatch.setenv(name, value)
    services = {
        "compute": "/compute/v2.1",
        "block-storage": "/volume/v3/p1",
        "image": "/image",
        "network": "/network",
    }
    catalog = [
        {
            "type": kind,
            "name": kind,
            "id": kind,
            "endpoints": [
                {
                    "interface": "public",
                    "region_id": "R",
                    "region": "R",
                    "url": f"{api.url}{path}",
                    "id": kind,
                }
            ],
        }
        for kind, path in services.items()
    ]
    token = {
        "methods": ["password"],
        "expires_at": "2099-01-01T00:00:00.000000Z",
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "project": {"id": "p1", "name": "class", "domain": {"id": "default", "name": "Default"}},
        "user": {"id": "u1", "name": "anna", "domain": {"id": "default", "name": "Default"}},
        "catalog": catalog,
    }
    version = {
        "id": "v3.14",
        "status": "stable",
        "links": [{"rel": "self", "href": f"{api.url}/v3/"}],
    }
    flavor = {
        "id": "f1",
        "name": "large",
        "vcpus": 8,
        "ram": 32768,
        "disk": 20,
        "extra_specs": {"pci_passthrough:alias": "a100:1"},
    }
    small = {"id": "f2", "name": "small", "vcpus": 2, "ram": 4096, "disk": 20, "extra_specs": {}}
    compute = {
        "maxTotalCores": 10,
        "totalCoresUsed": 4,
        "maxTotalRAMSize": 65536,
        "totalRAMUsed": 8192,
        "maxTotalInstances": 5,
        "totalInstancesUsed": 1,
    }
    storage = {
        "maxTotalVolumeGigabytes": 100,
        "totalGigabytesUsed": 60,
        "maxTotalVolumes": 10,
        "totalVolumesUsed": 1,
    }

    def service(path: str, id: str, microversion: str = "") -> dict[str, Any]:
        links = [{"rel": "self", "href": f"{api.url}{path}"}]
        return {
            "id": id,
            "status": "CURRENT",
            "version": microversion,
            "min_version": "",
            "links": links,
        }

    api.answers = {
        "/v3": {"version": version},
        "/v3/": {"version": version},
        "/v3/auth/tokens": {"token": token},
        "/compute/v2.1": {"version": service("/compute/v2.1/", "v2.1", "2.90")},
        "/compute/v2.1/": {"version": service("/compute/v2.1/", "v2.1", "2.90")},
        "/compute/v2.1/flavors": {"flavors": [flavor, small]},
        "/compute/v2.1/flavors/detail": {"flavors": [flavor, small]},
        "/compute/v2.1/flavors/f1": {"flavor": flavor},
        "/compute/v2.1/flavors/f1/os-extra_specs": {"extra_specs": flavor["extra_specs"]},
        "/compute/v2.1/servers": {"servers": []},
        "/compute/v2.1/limits": {"limits": {"rate": [], "absolute": compute}},
        "/volume/": {"versions": [service("/volume/v3/", "v3.0", "3.70")]},
        "/volume/v3/": {"versions": [service("/volume/v3/", "v3.0", "3.70")]},
        "/volume/v3/p1/limits": {"limits": {"rate": [], "absolute": storage}},
        "/image": {"versions": [service("/image/v2/", "v2.9")]},
        "/image/": {"versions": [service("/image/v2/", "v2.9")]},
        "/image/v2/images": {"images": [{"id": "i1", "name": "Ubuntu 24.04"}]},
        "/network": {"versions": [service("/network/v2.0/", "v2.0")]},
        "/network/": {"versions": [service("/network/v2.0/", "v2.0")]},
        "/network/v2.0/networks": {
            "networks": [{"id": "n1", "name": "public", "router:external": True}]
        },
        "/network/v2.0/quotas/p1/details": {
            "quota": {"floatingip": {"limit": 2, "used": 2, "reserved": 0}}
        },
    }
    return api


def stack(**more: Any) -> Wanted:
    return Wanted(**{"platform": "openstack", "region": "R", "machine_type": "large", **more})


def test_openstack(nova: FakeApi) -> None:
    findings = preflight.check(stack(address_pool="public", image="Ubuntu 24.04", volumes=(30,)))
    assert preflight.notes(findings) == []
    (refused,) = preflight.refused(findings)
    assert "vm.size: found 8 vCPUs; the quota is 10, 4 in use; allowed: 6 vCPUs" in refused
    found = words(
        stack(machine_type="none", address_pool="outside", image="x", volumes=(50,), addresses=1)
    )
    assert (
        "vm.machine_type: found none, which this cloud does not have; allowed: large, small"
        in found
    )
    assert "vm.network.address_pool: found outside; allowed: public" in found
    assert "vm.image: found x, which this cloud does not have; allowed: Ubuntu 24.04" in found
    assert "volumes.data.size: found 50 GiB of volumes; the quota is 100, 60 in use" in found
    assert "vm.network.public_address: found 1 floating IPs; the quota is 2, 2 in use" in found


def test_openstack_lists_its_flavors(nova: FakeApi) -> None:
    large, small = openstack.flavors(None, "R")
    assert (large.name, large.cpus, large.memory, large.gpus, large.gpu_type) == (
        "large",
        8,
        32 * GIB,
        1,
        "A100",
    )
    assert (small.name, small.gpus) == ("small", 0)


def test_a_cloud_that_does_not_answer_is_unknown(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_AUTH_URL", f"{api.url}/nothing")
    monkeypatch.setenv("OS_USERNAME", "a")
    monkeypatch.setenv("OS_PASSWORD", "x")
    findings = preflight.check(stack())
    assert preflight.refused(findings) == []
    assert preflight.notes(findings)


DEPLOYMENT = "jupyterhub-class"
LABEL = "pulumi-jupyterhub-deployment"


def test_what_is_left_behind_in_aws(aws: Any) -> None:
    tags = [{"ResourceType": "volume", "Tags": [{"Key": LABEL, "Value": DEPLOYMENT}]}]
    place = {"AvailabilityZone": "eu-central-1a", "Size": 1}
    made = aws.create_volume(**place, TagSpecifications=tags)
    aws.create_volume(**place)
    assert preflight.left_behind(AWS, DEPLOYMENT) == [made["VolumeId"]]


def test_what_is_left_behind_in_gcp(gcp: FakeApi) -> None:
    disks = {"items": {"zones/europe-west1-b": {"disks": [{"name": "jupyterhub-class-data"}]}}}
    gcp.answers[f"{PROJECT}/aggregated/disks"] = disks
    assert preflight.left_behind(google(), DEPLOYMENT) == ["jupyterhub-class-data"]


def test_what_is_left_behind_in_openstack(nova: FakeApi) -> None:
    own, other = {"id": "v1", "metadata": {LABEL: DEPLOYMENT}}, {"id": "v2", "metadata": {}}
    nova.answers["/volume/v3/p1/volumes/detail"] = {"volumes": [own, other]}
    nova.answers["/compute/v2.1/servers/detail"] = {"servers": []}
    assert preflight.left_behind(stack(), DEPLOYMENT) == ["v1"]
