#!/bin/sh
# jupyterhub 5.5.4
# The admin page's Edit User sends a user's name along when only Admin is ticked. The hub takes a name
# that is the same for none: it answers 200 and sets the name to null, so that nobody is called so any
# more. Seen:
#   before: anna
#   PATCH /users/anna {"name": "anna", "admin": true}: 200
#   after: None
# Who calls the API should leave the name out.
set -eu
folder=$(mktemp -d)
hub=
trap 'if [ "$hub" ]; then kill "$hub" 2> /dev/null || true; wait "$hub" || true; fi; rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
python3 -m venv "$folder/venv"
timeout 300 "$folder/venv/bin/pip" install -q --no-cache-dir --disable-pip-version-check \
    jupyterhub==5.5.4
cat > "$folder/jupyterhub_config.py" <<'END'
from jupyterhub.proxy import Proxy


class NoProxy(Proxy):
    should_start = False

    async def add_route(self, *_): ...

    async def delete_route(self, *_): ...

    async def get_all_routes(self):
        return {}


c.JupyterHub.proxy_class = NoProxy  # noqa: F821
c.JupyterHub.authenticator_class = "dummy"  # noqa: F821
c.JupyterHub.hub_bind_url = "http://127.0.0.1:18081"  # noqa: F821
c.Authenticator.admin_users = {"teacher"}  # noqa: F821
c.Authenticator.allowed_users = {"anna"}  # noqa: F821
END
cat > "$folder/seen.py" <<'END'
import json
import sys
import time
import urllib.request

token = sys.argv[1]


def ask(method, path, body=None):
    request = urllib.request.Request(
        f"http://127.0.0.1:18081/hub/api{path}",
        json.dumps(body).encode() if body else None,
        {"Authorization": f"token {token}"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, json.load(answer)


def others():
    return ", ".join(str(u["name"]) for u in ask("GET", "/users")[1] if u["name"] != "teacher")


for _ in range(100):
    try:
        ask("GET", "/")
        break
    except OSError:
        time.sleep(0.2)
print("before:", others())
change = {"name": "anna", "admin": True}
print(f"PATCH /users/anna {json.dumps(change)}:", ask("PATCH", "/users/anna", change)[0])
print("after:", others())
END
cd "$folder"
token=$(venv/bin/jupyterhub token teacher 2> errors) || { cat errors; exit 1; }
venv/bin/jupyterhub > log 2>&1 &
hub=$!
timeout 60 venv/bin/python seen.py "$token" > seen || { cat log; exit 1; }
cat seen
[ "$(tail -n 1 seen)" = "after: None" ] || { echo "This has changed."; exit 1; }
