"""VMs and volumes of each cloud under Pulumi's mocks: which resources, with which options."""

from __future__ import annotations

import base64
import functools
import gzip
import json
import os
import random
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pydantic import SecretStr

from components import config, preflight
from components.cloud_vm import openstack as cloud_vm_openstack
from components.cloud_vm.sizes import MachineType
from components.errors import ConfigError
from components.machine import ssh
from toolchain.stacks import secret_config

FIXTURES = Path(__file__).parent / "fixtures"
CLOUDS = ("aws", "gcp", "openstack")
KEY = secret_config.ssh_key()

VM = {
    "aws": "aws:ec2/instance:Instance",
    "gcp": "gcp:compute/instance:Instance",
    "openstack": "openstack:compute/instance:Instance",
}
DISK = {
    "aws": "aws:ebs/volume:Volume",
    "gcp": "gcp:compute/disk:Disk",
    "openstack": "openstack:blockstorage/volume:Volume",
}
ATTACHMENT = {
    "aws": "aws:ec2/volumeAttachment:VolumeAttachment",
    "gcp": "gcp:compute/attachedDisk:AttachedDisk",
    "openstack": "openstack:compute/volumeAttach:VolumeAttach",
}
COMPUTED: dict[str, dict[str, Any]] = {
    "aws:ec2/eip:Eip": {"publicIp": "192.0.2.80", "allocationId": "eipalloc-1"},
    "aws:ec2/instance:Instance": {"privateIp": "10.20.0.5", "availabilityZone": "eu-central-1a"},
    "aws:efs/fileSystem:FileSystem": {"dnsName": "fs-1.efs.eu-central-1.amazonaws.com"},
    "gcp:compute/address:Address": {"address": "192.0.2.80"},
    "gcp:compute/instance:Instance": {
        "instanceId": "123",
        "networkInterfaces": [
            {"networkIp": "10.20.0.5", "accessConfigs": [{"natIp": "192.0.2.80"}]}
        ],
    },
    "gcp:filestore/instance:Instance": {"networks": [{"ipAddresses": ["10.0.0.9"]}]},
    "gcp:serviceaccount/account:Account": {"email": "vm@my-project.iam"},
    "openstack:networking/floatingIp:FloatingIp": {"address": "192.0.2.80"},
    "openstack:networking/port:Port": {"allFixedIps": ["10.20.0.5"]},
    "openstack:compute/instance:Instance": {"accessIpV4": "188.184.1.2"},
    "openstack:identity/applicationCredential:ApplicationCredential": {"secret": "s3cret"},
    "openstack:sharedfilesystem/share:Share": {"exportLocations": [{"path": "10.0.0.9:/share"}]},
}
LOOKED_UP: dict[str, dict[str, Any]] = {
    "aws:ec2/getAmi:getAmi": {"id": "ami-1"},
    "aws:ec2/getSubnet:getSubnet": {"cidrBlock": "10.0.0.0/24"},
    "openstack:images/getImage:getImage": {"id": "image-1"},
    "openstack:networking/getNetwork:getNetwork": {"id": "external-1"},
    "openstack:identity/getAuthScope:getAuthScope": {
        "serviceCatalogs": [
            {
                "type": "identity",
                "endpoints": [{"interface": "public", "url": "https://cloud.example/v3"}],
            }
        ]
    },
}


class Recorder(pulumi.runtime.Mocks):
    """Answers for the engine and keeps what was asked for, by type and name."""

    def __init__(self) -> None:
        self.listens = True
        self.inputs: dict[tuple[str, str], dict[str, Any]] = {}
        self.options: dict[tuple[str, str], pulumi.ResourceOptions] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.inputs[args.typ, args.name] = dict(args.inputs)
        outputs = dict(args.inputs) | COMPUTED.get(args.typ, {})
        if args.typ == "pulumi:index:Stash":
            outputs["output"] = args.inputs["input"]
        return f"{args.name}-id", outputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        return LOOKED_UP[args.token]

    def transform(self, args: pulumi.ResourceTransformationArgs) -> None:
        if self.listens:  # a transformation stays registered for the stacks after this one
            self.options[args.type_, args.name] = args.opts

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        return {name: inputs for (typ, name), inputs in self.inputs.items() if typ == kind}

    def one(self, kind: str) -> tuple[dict[str, Any], pulumi.ResourceOptions]:
        ((name, inputs),) = self.of(kind).items()
        return inputs, self.options[kind, name]


@functools.cache
def compose(name: str) -> tuple[Recorder, dict[str, Any]]:
    """A stack file composed once; nothing here changes what was recorded."""
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, project="jupyterhub", stack="test", preview=False)
    pulumi.runtime.register_stack_transformation(recorder.transform)
    from stacks import vm

    outputs: dict[str, Any] = {}
    stack = config.read_file(FIXTURES / name)
    secrets = stack.secrets.model_copy(update={"ssh_key": SecretStr(KEY)})

    @pulumi.runtime.test
    def run() -> Any:
        exports = vm.compose("test", stack.model_copy(update={"secrets": secrets}))
        return pulumi.Output.all(**exports).apply(outputs.update)

    run()
    recorder.listens = False
    return recorder, outputs


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    surround(monkeypatch, tmp_path)


def surround(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A data folder of its own, an OpenStack that lists its flavors, an engine without hooks."""
    for name in ("XDG_DATA_HOME", "HOME"):  # no credentials of whoever runs the tests
        monkeypatch.setenv(name, str(tmp_path))
    for name in [name for name in os.environ if name.startswith(("AWS_", "OS_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    for name in ("register_resource_hook", "_prepare_resource_hooks"):  # mocks have no call-backs
        monkeypatch.setattr(pulumi.runtime.resource, name, _nothing)
    monkeypatch.setattr(pulumi.resource_hooks, "register_resource_hook", lambda hook: None)
    flavors = (MachineType("small", 2, 4 * 1024**3, "x86_64"),)
    flavors += (MachineType("large", 8, 32 * 1024**3, "x86_64"),)
    monkeypatch.setattr(cloud_vm_openstack, "machine_types", lambda site: flavors)


async def _nothing(*_: Any) -> None:
    return None


def minimal(cloud: str) -> tuple[Recorder, dict[str, Any]]:
    return compose(f"{cloud}.happy.minimal.yaml")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_changed_image_or_user_data_touches_no_vm(cloud: str) -> None:
    _, options = minimal(cloud)[0].one(VM[cloud])
    ignored = {
        "aws": {"ami", "userDataBase64"},
        "gcp": {"bootDisk", "metadata", "attachedDisks"},
        "openstack": {"userData", "imageId", "blockDevices", "keyPair"},
    }
    assert set(options.ignore_changes or []) >= ignored[cloud]
    assert options.replacement_trigger == 0
    assert options.delete_before_replace


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_data_disk_is_protected_and_nothing_makes_it_anew(cloud: str) -> None:
    inputs, options = minimal(cloud)[0].one(DISK[cloud])
    assert inputs["size"] == 50
    assert options.protect and options.retain_on_delete  # whatever a `pulumi` is told to ignore
    replacing = {
        "aws": {"availabilityZone", "encrypted", "kmsKeyId", "snapshotId"},
        "gcp": {"name", "zone", "type", "image", "snapshot"},
        "openstack": {"availabilityZone", "volumeType", "imageId", "snapshotId", "region"},
    }
    assert set(options.ignore_changes or []) >= replacing[cloud]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_goes_with_the_vm_is_deleted_with_it(cloud: str) -> None:
    recorder, _ = minimal(cloud)
    inside = [key for key in recorder.options if key[0].startswith("docker:")]
    assert len(inside) >= 8
    for key in [*inside, *((ATTACHMENT[cloud], name) for name in recorder.of(ATTACHMENT[cloud]))]:
        machine = recorder.options[key].deleted_with
        assert machine is not None and machine._type == VM[cloud], key


@pytest.mark.parametrize("cloud", CLOUDS)
def test_everything_on_the_vm_waits_for_the_gate(cloud: str) -> None:
    recorder, _ = minimal(cloud)
    for key in (key for key in recorder.options if key[0].startswith("docker:")):
        before = recorder.options[key].depends_on
        assert any(each._name == "vm-ready" for each in before), key  # type: ignore[union-attr]
    gate = recorder.options["pulumi:index:Stash", "vm-ready"]
    assert gate.hooks and gate.hooks.before_create and gate.hooks.before_update
    waited_for = {each._name for each in gate.depends_on}  # type: ignore[union-attr]
    assert {"vm", "data"} <= waited_for  # the VM, its address, and the disk's attachment


def _user_data(cloud: str, inputs: dict[str, Any]) -> dict[str, Any]:
    text = {
        "aws": lambda: inputs["userDataBase64"],
        "gcp": lambda: inputs["metadata"]["user-data"],
        "openstack": lambda: inputs["userData"],
    }[cloud]()
    return dict(yaml.safe_load(gzip.decompress(base64.b64decode(text))))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_user_data_has_the_disk_and_no_secret(cloud: str) -> None:
    recorder, _ = minimal(cloud)
    inputs, _ = recorder.one(VM[cloud])
    document = _user_data(cloud, inputs)
    files = {
        file["path"]: gzip.decompress(base64.b64decode(file["content"])).decode()
        for file in document["write_files"]
    }
    serial = {
        "aws": "nvme-Amazon_Elastic_Block_Store_dataid",
        "gcp": "google-jupyterhub-test-data",
        "openstack": "virtio-data-id",
    }
    desired = files["/etc/pulumi-jupyterhub/desired.conf"]
    assert f"DISKS='/srv/data /dev/disk/by-id/{serial[cloud]} jh-data'" in desired
    assert "FOLDERS='/srv/data/homes /srv/data/shared" in desired
    everything = yaml.safe_dump(document) + "".join(files.values())
    assert "PRIVATE KEY" not in everything
    assert "0" * 64 not in everything  # the fixture's secrets
    own = document["users"][1]["ssh_authorized_keys"]
    assert own == [ssh.public_key(KEY)]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_hub_never_gets_the_key_to_its_host(cloud: str) -> None:
    recorder, _ = minimal(cloud)
    for (_, name), inputs in recorder.inputs.items():
        assert "PRIVATE KEY" not in json.dumps(inputs, default=str), name


@pytest.mark.parametrize("cloud", CLOUDS)
def test_only_web_and_the_named_ssh_come_in(cloud: str) -> None:
    recorder, _ = minimal(cloud)
    assert _open(cloud, recorder) == {
        ("tcp", 80, 80, "0.0.0.0/0"),
        ("tcp", 443, 443, "0.0.0.0/0"),
        ("tcp", 22, 22, "192.0.2.7/32"),
    }


def _open(cloud: str, recorder: Recorder) -> set[tuple[str, int, int, str]]:
    if cloud == "aws":
        rules = recorder.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
        return {
            (r["ipProtocol"], int(r["fromPort"]), int(r["toPort"]), r["cidrIpv4"])
            for r in rules.values()
        }
    if cloud == "gcp":
        found = set()
        for rule in recorder.of("gcp:compute/firewall:Firewall").values():
            (allowed,), (source,) = rule["allows"], rule["sourceRanges"]
            (ports,) = allowed["ports"]
            first, _, last = ports.partition("-")
            found.add((allowed["protocol"], int(first), int(last or first), source))
            assert rule["targetTags"] == ["jupyterhub-test-vm"]
        return found
    rules = recorder.of("openstack:networking/secGroupRule:SecGroupRule")
    return {
        (r["protocol"], int(r["portRangeMin"]), int(r["portRangeMax"]), r["remoteIpPrefix"])
        for r in rules.values()
    }


def test_secure_by_default() -> None:
    aws, _ = minimal("aws")[0].one(VM["aws"])
    assert aws["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
    }
    assert aws["rootBlockDevice"]["encrypted"]
    assert aws.get("iamInstanceProfile") is None  # no buckets, no rights
    disk, _ = minimal("aws")[0].one(DISK["aws"])
    assert disk["encrypted"]
    gcp, _ = minimal("gcp")[0].one(VM["gcp"])
    assert gcp["shieldedInstanceConfig"]["enableSecureBoot"]
    assert gcp["metadata"]["enable-oslogin"] == "FALSE"
    assert gcp["metadata"]["block-project-ssh-keys"] == "TRUE"
    assert gcp.get("serviceAccount") is None


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_a_stack_tells(cloud: str) -> None:
    _, outputs = minimal(cloud)
    assert outputs["url"] == "https://192-0-2-80.sslip.io"
    assert outputs["address"] == "192.0.2.80"
    assert outputs["private_address"] == "10.20.0.5"
    assert outputs["ssh_command"].endswith("hubadmin@192.0.2.80")
    assert outputs["machine_type"]


def test_certificates_are_for_the_name_made_from_the_address() -> None:
    proxy = minimal("aws")[0].inputs["docker:index/container:Container", "proxy"]
    domain = "--entrypoints.websecure.http.tls.domains[0].main=192-0-2-80.sslip.io"
    assert domain in proxy["command"]


def test_too_much_user_data_is_a_mistake_in_the_stack_file() -> None:
    document = yaml.safe_load((FIXTURES / "aws.happy.minimal.yaml").read_text())["config"]
    values = {key.removeprefix("jupyterhub:"): value for key, value in document.items()}
    noise = base64.b64encode(random.Random(1).randbytes(20_000)).decode()
    values["vm"]["cloud_init"] = {"write_files": [{"path": "/x", "content": noise}]}
    values["secrets"] = dict.fromkeys(values["secrets"], "x")
    with pytest.raises(ConfigError) as caught:
        config.parse(values, "here")
    assert "jupyterhub:vm.cloud_init: found user data of" in str(caught.value)
    assert "allowed: 16384" in str(caught.value)


def test_a_quota_that_is_short_stops_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[preflight.Wanted] = []

    def short(wanted: preflight.Wanted) -> list[preflight.Finding]:
        asked.append(wanted)
        refused = preflight.Verdict.refused
        return [preflight.Finding("vm.size", refused, "8 vCPUs; the quota is 5", "5 vCPUs")]

    monkeypatch.setenv("AWS_PROFILE", "class")
    monkeypatch.setattr(preflight, "check", short)
    with pytest.raises(pulumi.RunError) as caught:
        compose.__wrapped__("aws.happy.minimal.yaml")
    assert "jupyterhub:vm.size: found 8 vCPUs; the quota is 5; allowed: 5 vCPUs" in str(
        caught.value
    )
    (wanted,) = asked
    assert (wanted.machine_type, wanted.cpus, wanted.volumes) == ("t3.large", 2, (50,))
    assert (wanted.addresses, wanted.name) == (1, "jupyterhub-test-vm")


def test_aws_in_full() -> None:
    recorder, outputs = compose("aws.happy.full.yaml")
    vm, _ = recorder.one(VM["aws"])
    assert vm["instanceType"].startswith("g4dn")
    assert vm["subnetId"] == "subnet-1"
    assert "sg-9" in vm["vpcSecurityGroupIds"]
    assert vm["instanceMarketOptions"] == {"marketType": "spot"}
    assert vm["disableApiTermination"]
    assert vm["tags"]["course"] == "root"
    assert not recorder.of("aws:ec2/vpc:Vpc")
    document = _user_data("aws", vm)
    assert document["packages"] == ["htop"]
    assert document["runcmd"][-1] == ["touch", "/root/mine"]
    policy = json.loads(recorder.inputs["aws:iam/rolePolicy:RolePolicy", "vm"]["policy"])
    resources = {r for statement in policy["Statement"] for r in statement["Resource"]}
    bucket = "datasets-id"
    assert resources == {f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"}
    assert outputs["url"] == "https://hub.example.org"
    record, _ = recorder.one("aws:route53/record:Record")
    assert record["records"] == ["192.0.2.80"]
    desired = recorder.inputs["pulumi:index:Stash", "vm-ready"]["input"]["desired"]
    assert "/srv/homes fs-1.efs.eu-central-1.amazonaws.com:/ nfs4" in desired
    assert "GPU_DRIVER=yes" in desired and "CVMFS=sft.cern.ch" in desired
    homes = recorder.inputs["docker:index/volume:Volume", "homes"]
    assert homes["driverOpts"]["device"] == "/srv/homes"
    scratch = recorder.options["aws:ebs/volume:Volume", "scratch"]
    assert scratch.protect is False and not scratch.retain_on_delete
    assert recorder.of("aws:dlm/lifecyclePolicy:LifecyclePolicy")


def test_gcp_in_full() -> None:
    recorder, outputs = compose("gcp.happy.full.yaml")
    vm, _ = recorder.one(VM["gcp"])
    assert vm["machineType"] == "g2-standard-8"
    assert "accessConfigs" not in vm["networkInterfaces"][0]
    assert vm["scheduling"]["provisioningModel"] == "SPOT"
    assert vm["serviceAccount"]["scopes"] == ["cloud-platform"]
    assert outputs["address"] == "10.20.0.5"
    assert "ProxyJump=me@gate.example.org" in outputs["ssh_command"]
    desired = recorder.inputs["pulumi:index:Stash", "vm-ready"]["input"]["desired"]
    assert "/srv/shared 10.0.0.9:/data nfs" in desired
    assert recorder.of("gcp:compute/resourcePolicy:ResourcePolicy")


def test_a_flat_network_has_nothing_of_its_own() -> None:
    recorder, outputs = compose("openstack.happy.cern.yaml")
    vm, _ = recorder.one(VM["openstack"])
    assert "networks" not in vm and "securityGroups" not in vm
    assert vm["metadata"]["cern-waitdns"] == "false"
    assert not any(kind.startswith("openstack:networking") for kind, _ in recorder.inputs)
    assert outputs["address"] == "188.184.1.2"
    assert outputs["url"] == "https://myhub.cern.ch"


def test_openstack_adopts_a_volume_by_id_and_boots_from_one() -> None:
    recorder, _ = compose("openstack.happy.full.yaml")
    _, options = recorder.one(DISK["openstack"])
    assert options.import_ == "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
    vm, _ = recorder.one(VM["openstack"])
    (boot,) = vm["blockDevices"]
    assert boot["volumeSize"] == 50 and boot["uuid"] == "image-1"
    assert "imageId" not in vm  # the image belongs to the volume only
    assert not recorder.of("openstack:networking/network:Network")


@pytest.mark.parametrize(
    ("name", "remote"),
    [
        ("aws.happy.full.yaml", {"type": "s3", "env_auth": "true", "region": "eu-central-1"}),
        ("gcp.happy.full.yaml", {"type": "google cloud storage", "env_auth": "true"}),
        ("openstack.happy.full.yaml", {"type": "swift"}),
    ],
)
def test_a_clouds_bucket_is_mounted_by_a_container_of_its_own(
    name: str, remote: dict[str, str]
) -> None:
    recorder, _ = compose(name)
    mount = recorder.inputs["docker:index/container:Container", "buckets"]
    (file,) = mount["uploads"]["value"]  # a secret
    (told,) = json.loads(file["content"])["buckets"].values()
    assert remote.items() <= told["remote"].items()
    assert (told["access"], told["writable"]) == ("shared", True)
    assert mount["mounts"][0]["bindOptions"] == {"propagation": "rshared"}
    assert mount.get("privileged") is None
    hub = recorder.inputs["docker:index/container:Container", "hub"]
    assert '"cloud_storage": "jupyterhub-test-buckets"' in str(hub["uploads"]).replace("\\", "")


def test_a_host_gets_no_cloud() -> None:
    recorder, outputs = compose("host.happy.minimal.yaml")
    assert not any(kind.split(":")[0] in CLOUDS for kind, _ in recorder.inputs)
    gate = recorder.inputs["pulumi:index:Stash", "host-ready"]["input"]
    assert "DISKS='/srv/data /dev/disk/by-id/virtio-data jh-data'" in gate["desired"]
    assert outputs["url"] == "https://192-0-2-9.sslip.io"


def _made(recorder: Recorder) -> list[tuple[str, str]]:
    """What a stack makes; components and providers are names only."""
    return [k for k in recorder.options if not k[0].startswith(("jupyterhub:", "pulumi:"))]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_not_too_many_resources(cloud: str) -> None:
    assert len(_made(minimal(cloud)[0])) <= 45


def test_few_resources_in_an_existing_network() -> None:
    recorder, _ = compose("openstack.happy.existing.yaml")
    assert len(_made(recorder)) <= 25, _made(recorder)
