"""What carries a stack's label in its cloud: `python -m stacks.left STACK` prints ids as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from components import preflight as cloud
from components.config import read_file
from components.platforms.site import Site

from .preflight import wanted


def main(arguments: list[str]) -> int:
    """Null where the cloud can't be asked, with the reason on standard error."""
    (stack,) = arguments
    config = read_file(Path("stacks") / f"Pulumi.{stack}.yaml")
    deployment = f"jupyterhub-{stack}"
    assert config.cloud
    site = Site.describe(config.cloud, deployment, config.site)
    try:
        if not site.has_credentials:
            raise PermissionError(f"no credentials for {site.platform}")
        print(json.dumps(cloud.left_behind(wanted(config, site), deployment)))
    except Exception as error:
        print(str(error).strip().splitlines()[0], file=sys.stderr)
        print("null")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
