#!/bin/sh
# distributed 2026.8.0
# The scheduler's idle_timeout counts tasks, and an actor's methods are no tasks: a cluster whose
# actor computes for longer than the timeout is closed under it, with its client connected. The same
# computation as a task is finished. Seen:
#   task: done, the scheduler is running
#   actor: OSError, the scheduler is closed
# Who uses actors sets no idle timeout, or sends a small task from time to time.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
python3 -m venv "$folder/venv"
timeout 300 "$folder/venv/bin/pip" install -q --no-cache-dir --disable-pip-version-check \
    dask==2026.8.0 distributed==2026.8.0
cat > "$folder/seen.py" <<'END'
import logging
import time

from distributed import Client, LocalCluster

logging.disable()
SECONDS = 6.0  # of computing; the timeout is a third of it


def work() -> str:
    time.sleep(SECONDS)
    return "done"


class Worker:
    def work(self) -> str:
        return work()


def seen(is_actor: bool) -> str:
    cluster = LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        dashboard_address=None,
        scheduler_kwargs={"idle_timeout": "2s"},
    )
    with cluster, Client(cluster) as client:
        if is_actor:
            waited_for = client.submit(Worker, actor=True).result().work()
        else:
            waited_for = client.submit(work)
        try:
            answer = waited_for.result(timeout=20)
        except OSError:
            answer = "OSError"
        return f"{answer}, the scheduler is {cluster.scheduler.status.value}"


if __name__ == "__main__":
    print("task:", seen(False))
    print("actor:", seen(True))
END
cd "$folder" && timeout 100 venv/bin/python seen.py > seen 2> errors || { cat errors; exit 1; }
cat seen
cat > expected <<'END'
task: done, the scheduler is running
actor: OSError, the scheduler is closed
END
cmp -s seen expected || { echo "This has changed."; exit 1; }
