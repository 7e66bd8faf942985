"""Who takes too much suffers alone: the neighbour is measured meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.checkout import Checkout
from tests.client import Kernel, User

SLOWEST = 10.0  # seconds for a small cell; alone it takes some milliseconds
MEMORY_HOG = """
import subprocess, sys
print(subprocess.run([sys.executable, "-c", "bytearray(2_000_000_000)"]).returncode)
"""
# As many as there are to be had. They sleep: the machine that runs these tests has others on it.
FORK_BOMB = """
import subprocess
made = []
try:
    for _ in range(2000):
        made.append(subprocess.Popen(["sleep", "60"]))
except OSError:
    print(len(made))
finally:
    for each in made:
        each.kill()
        each.wait()
"""
CPU_HOG = """
import os, subprocess, sys, time
used = lambda: int(open("/sys/fs/cgroup/cpu.stat").read().split()[1]) / 1e6
if not os.path.exists("/sys/fs/cgroup/cpu.stat"):
    used = lambda: int(open("/sys/fs/cgroup/cpuacct/cpuacct.usage").read()) / 1e9
hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(8)]
time.sleep(1)
before, begun = used(), time.monotonic()
time.sleep(4)
print((used() - before) / (time.monotonic() - begun))
for hog in hogs:
    hog.kill()
    hog.wait()
"""
SHARED_MEMORY_FILLER = """
with open("/dev/shm/filler", "wb") as file:
    for _ in range(1000):
        file.write(bytes(1_000_000))
"""


@pytest.fixture(scope="module")
def neighbour(anna: User) -> Iterator[Kernel]:
    with anna.kernel() as kernel:
        kernel.run("x = 41")
        yield kernel


def attack(ben: User, code: str, neighbour: Kernel) -> str:
    """What the attack prints; the neighbour works on all the while."""
    with ThreadPoolExecutor(1) as pool:
        attacking = pool.submit(ben.run, code)
        while True:
            begun = time.monotonic()
            assert neighbour.run("print(x + 1)") == "42"
            assert time.monotonic() - begun < SLOWEST
            if attacking.done():
                return attacking.result()
            time.sleep(0.2)


def test_too_much_memory_ends_who_takes_it(ben: User, neighbour: Kernel) -> None:
    assert attack(ben, MEMORY_HOG, neighbour) == "-9"
    assert ben.run("print('alive')") == "alive"


def test_a_fork_bomb_stays_at_home(hub: Checkout, ben: User, neighbour: Kernel) -> None:
    limit = hub.server("ben").attrs["HostConfig"]["PidsLimit"]
    assert limit == 1024
    assert limit / 2 < int(attack(ben, FORK_BOMB, neighbour)) <= limit
    assert ben.run("print('alive')") == "alive"


def test_a_busy_loop_takes_its_own_cores(ben: User, neighbour: Kernel) -> None:
    assert 0.5 < float(attack(ben, CPU_HOG, neighbour)) < 1.2  # of a core; the limit is 1


def test_shared_memory_and_logs_fill_up_for_oneself(hub: Checkout, ben: User) -> None:
    assert "No space left" in ben.run(SHARED_MEMORY_FILLER)
    ben.run("import os; os.unlink('/dev/shm/filler')")
    log = hub.server("ben").attrs["HostConfig"]["LogConfig"]
    assert log == {"Type": "json-file", "Config": {"max-size": "5m", "max-file": "2"}}
