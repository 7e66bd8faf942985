"""Which machine type a size gets."""

import pytest

from components.cloud_vm.args import Arch, SizeArgs
from components.cloud_vm.sizes import NoFit, smallest, table


def pick(platform: str, **size: object) -> str:
    return smallest(SizeArgs.model_validate(size), table(platform)).name


@pytest.mark.parametrize(
    ("platform", "size", "name"),
    [
        ("aws", {"cpus": 2, "memory": "8G"}, "t3.large"),
        ("aws", {"cpus": 4, "memory": "16G"}, "t3.xlarge"),
        ("aws", {"cpus": 16, "memory": "64G"}, "m7i.4xlarge"),
        ("aws", {"cpus": 2, "memory": "30G"}, "r7i.xlarge"),
        ("aws", {"cpus": 8, "memory": "16G"}, "c7i.2xlarge"),
        ("aws", {"cpus": 2, "memory": "8G", "arch": "arm64"}, "t4g.large"),
        ("aws", {"cpus": 4, "memory": "16G", "gpus": 1, "gpu_type": "t4"}, "g4dn.xlarge"),
        ("aws", {"cpus": 4, "memory": "16G", "gpus": 8, "gpu_type": "A100"}, "p4d.24xlarge"),
        ("gcp", {"cpus": 2, "memory": "8G"}, "e2-standard-2"),
        ("gcp", {"cpus": 4, "memory": "32G"}, "e2-highmem-4"),
        ("gcp", {"cpus": 4, "memory": "16G", "gpus": 1}, "g2-standard-4"),
        ("gcp", {"cpus": 20, "memory": "16G"}, "e2-highcpu-32"),
    ],
)
def test_the_smallest_that_fits(platform: str, size: dict[str, object], name: str) -> None:
    assert pick(platform, **size) == name


def test_no_gpu_by_accident() -> None:
    for cpus in (1, 4, 64, 128):
        size = SizeArgs(cpus=cpus, memory=4 * 1024**3)
        assert not smallest(size, table("aws")).gpus


def test_nothing_fits_and_the_nearest_are_named() -> None:
    with pytest.raises(NoFit) as caught:
        pick("gcp", cpus=4, memory="16G", gpus=1, gpu_type="V100")
    assert "1 x V100" in str(caught.value) and "g2-standard-4" in str(caught.value)
    with pytest.raises(NoFit) as caught:
        pick("gcp", cpus=400, memory="16G")
    assert "n2-highmem-128" in str(caught.value) or "n2-standard-128" in str(caught.value)


@pytest.mark.parametrize("platform", ["aws", "gcp"])
def test_tables_are_whole(platform: str) -> None:
    names = [each.name for each in table(platform)]
    assert len(names) == len(set(names)) > 50
    assert {each.arch for each in table(platform)} == {arch.value for arch in Arch}
    assert all((each.gpus > 0) == bool(each.gpu_type) for each in table(platform))
