"""Builds images ahead, as this plugin builds them: what Pulumi asks for later is in the cache.

Standard input is JSON: `{"host": "unix://…", "builds": [{"reference", "context", "arguments"}]}`.
"""

from __future__ import annotations

import json
import sys

from .build_context import BuildContext
from .engine import Engine, Settings


def main() -> int:
    """Prints the builder's steps. A fault is told again, in full, when Pulumi builds."""
    asked = json.load(sys.stdin)
    client = Engine(Settings(asked["host"])).patient_client()
    for build in asked["builds"]:
        archive, dockerfile = BuildContext.of(build["context"], None).archive()
        with archive:
            for event in client.build(
                fileobj=archive,
                custom_context=True,
                tag=build["reference"],
                dockerfile=dockerfile,
                buildargs=build["arguments"],
                rm=True,
                forcerm=True,
                decode=True,
            ):
                if event.get("stream", "").startswith("Step "):
                    print(build["reference"], event["stream"].strip(), flush=True)
                if "error" in event:
                    print(event["error"])
                    return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
