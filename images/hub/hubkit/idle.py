"""Stops servers that nobody uses, by what the hub knows of them; asks no server.

The packaged culler would stop at once, after hours without a hub, whatever is at work: the hub has
not heard of anything meanwhile. So servers first get the time to report.

Run by the hub as a service: JUPYTERHUB_API_URL and JUPYTERHUB_API_TOKEN are set.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import os
import time

from jupyterhub_idle_culler import cull_idle

JUMPED = 30.0  # seconds; time servers set a clock by less

log = logging.getLogger("idle-culler")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hubkit.idle", description=__doc__)
    parser.add_argument("--url", default=os.environ.get("JUPYTERHUB_API_URL"))
    for name, text in (
        ("timeout", "idle for this long is idle"),
        ("cull-every", "how often to look"),
        ("max-age", "servers older than this are stopped, too; 0: never"),
        ("wait", "how long servers may take to report after the hub's start"),
    ):
        parser.add_argument(f"--{name}", type=float, required=True, help=f"seconds: {text}")
    return parser.parse_args()


def _clock() -> float:
    """What the clock shows beyond the seconds that passed: another number when it is set, and when
    the machine wakes up."""
    return time.time() - time.monotonic()


async def main() -> None:
    """Runs until the hub ends it."""
    logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
    told, begun, clock = _arguments(), time.monotonic(), _clock()
    while True:
        if abs(_clock() - clock) > JUMPED:
            log.warning("the clock was set: servers get the time to report again")
            begun, clock = time.monotonic(), _clock()
        waits = time.monotonic() - begun < told.wait
        try:
            await cull_idle(
                told.url,
                os.environ["JUPYTERHUB_API_TOKEN"],
                math.inf if waits else told.timeout,
                max_age=told.max_age,
            )
        except Exception:
            log.exception("not looked; trying again")
        await asyncio.sleep(min(told.cull_every, told.wait) if waits else told.cull_every)


if __name__ == "__main__":
    asyncio.run(main())
