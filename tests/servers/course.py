"""A stand-in for a learning platform (Moodle is in no package registry): it only sends people.

What it signs is what LTI 1.3 asks of a platform; that a real one sends the same isn't shown here.
"""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlparse

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT = "hub-in-the-course"
DEPLOYMENT, CONTEXT = "1", "57"
_CLAIM = "https://purl.imsglobal.org/spec/lti/claim"
TEACHER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"
LEARNER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"


class Course:
    """The platform, whose keys are at `/keys`."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = json.loads(RSAAlgorithm.to_jwk(self._key.public_key()))
        keys = json.dumps({"keys": [public | {"kid": "1", "alg": "RS256", "use": "sig"}]}).encode()

        self.keys_fetched, self.keys_delay = 0, 0.0  # how often, and seconds until they come
        course = self

        class Keys(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                course.keys_fetched += 1
                time.sleep(course.keys_delay)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(keys)

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Keys)

    def send(
        self, hub: str, person: str, role: str = LEARNER, page: str = "/hub", **changes: Any
    ) -> requests.Response:
        """Somebody clicks the hub's link in the course: what their browser gets in the end.

        Args:
            person: the address by which the platform knows them.
            page: where the link leads to.
            changes: other claims; None for one that isn't sent.
        """
        browser = requests.Session()
        begin = {
            "iss": self.url,
            "login_hint": "7",
            "target_link_uri": f"{hub}{page}",
            "client_id": CLIENT,
        }
        asked = browser.post(f"{hub}/hub/lti13/oauth_login", data=begin, allow_redirects=False)
        assert asked.status_code == 302, asked.text
        query = parse_qs(urlparse(asked.headers["Location"]).query)
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": f"id-of-{person}",
            "exp": int(time.time()) + 60,
            "iat": int(time.time()),
            "nonce": query["nonce"][0],
            "email": person,
            f"{_CLAIM}/message_type": "LtiResourceLinkRequest",
            f"{_CLAIM}/version": "1.3.0",
            f"{_CLAIM}/deployment_id": DEPLOYMENT,
            f"{_CLAIM}/context": {"id": CONTEXT, "label": "PHYS"},
            f"{_CLAIM}/target_link_uri": f"{hub}/hub",
            f"{_CLAIM}/resource_link": {"id": "1"},
            f"{_CLAIM}/roles": [role],
        }
        sent = {key: value for key, value in (claims | changes).items() if value is not None}
        token = jwt.encode(sent, self._key, "RS256", headers={"kid": "1"})
        form = {"id_token": token, "state": query["state"][0]}
        answer = browser.post(query["redirect_uri"][0], data=form)
        answer.browser = browser  # type: ignore[attr-defined]
        return answer


@contextmanager
def course(port: int) -> Iterator[Course]:
    """A platform with one course."""
    made = Course(port)
    threading.Thread(target=made.server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
