"""Which stacks a change is about."""

from __future__ import annotations

import pytest

from toolchain.stacks.touched import touched

STACKS = {"aws": "aws", "gcp": "gcp"}


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("requirements.txt", ["aws", "gcp"]),
        ("requirements.lock", ["aws", "gcp"]),
        ("stacks/catalogue/aws.yaml", ["aws"]),
        ("stacks/Pulumi.aws.yaml", ["aws"]),
        ("stacks/backend.gcp", ["gcp"]),
        ("components/cloud_vm/gcp.py", ["gcp"]),
        ("docs/aws.md", []),
        ("stacks/catalogue/gone.yaml", []),
    ],
)
def test_a_file_touches(file: str, expected: list[str]) -> None:
    assert touched([file], STACKS) == expected
