"""Asking an OpenID Connect provider again about somebody who is in: tokens, and who still may."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import pytest
from hubkit.login import oidc as login
from hubkit.login.subjects import Subjects
from hubkit.login.taken import Taken
from hubkit.settings import Endpoints, LoginKind, Oidc
from jupyterhub import orm
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse

TOLD = Oidc(
    name="IAM",
    issuer=None,
    endpoints=Endpoints(
        authorize="https://iam/authorize", token="https://iam/token", userinfo="https://iam/me"
    ),
    client_id="hub",
    scopes=["openid"],
    username_claims=["preferred_username"],
    fold_case=False,
    groups_claim="groups",
    groups_url=None,
    groups_item=None,
    everyone=False,
    users=[],
    groups=["students"],
    domains=[],
    admin_groups=["teachers"],
)


class Provider:
    """Its tokens are good once, as most providers' that make new ones are."""

    def __init__(self) -> None:
        self.good, self.renewals, self.asked = "refresh-0", 0, 0
        self.groups, self.subject = ["students"], "1"
        self.answers: dict[str, int] = {}  # path: code that it answers with instead

    async def fetch(self, request: HTTPRequest, **_: Any) -> HTTPResponse:
        path = request.url.removeprefix("https://iam/")
        await asyncio.sleep(0)  # others may come meanwhile
        if code := self.answers.get(path):
            raise HTTPClientError(code)
        if path == "token":
            given = parse_qs(request.body.decode())["refresh_token"][0]
            if given != self.good:
                raise HTTPClientError(400)
            self.renewals += 1
            self.good = f"refresh-{self.renewals}"
            told: Any = {"access_token": f"access-{self.renewals}", "refresh_token": self.good}
            told |= {"token_type": "Bearer", "expires_in": 300}
        else:
            self.asked += 1
            told = {"preferred_username": "anna", "sub": self.subject, "groups": self.groups}
        return HTTPResponse(request, 200, buffer=BytesIO(json.dumps(told).encode()))


class Anna:
    """Whom the hub asks about; her token is old."""

    name = "anna"

    def __init__(self) -> None:
        info = {"access_token": "access-0", "token_type": "Bearer", "renew_at": 1.0}
        claims = {"preferred_username": "anna", "sub": "1", "groups": ["students"]}
        self.state: Any = {
            "access_token": "access-0",
            "refresh_token": "refresh-0",
            "token_response": info,
            "oauth_user": claims,
        }

    async def get_auth_state(self) -> Any:
        return self.state

    async def save_auth_state(self, state: Any) -> None:
        await asyncio.sleep(0)
        self.state = state


def done(work: Coroutine[Any, Any, Any]) -> Any:
    loop = asyncio.new_event_loop()  # asyncio.run would end the one of other tests
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def authenticator(provider: Provider, tmp_path: Path) -> Any:
    made = login.OidcAuthenticator(
        oidc=TOLD,
        client_id="hub",
        client_secret="secret",
        oauth_callback_url="https://hub/hub/oauth_callback",
        manage_groups=True,
        allowed_groups={"students"},
        admin_groups={"teachers"},
    )
    made.http_client = provider
    made._subjects = Subjects(LoginKind.oidc, Taken(tmp_path, tmp_path), tmp_path)
    made._subjects.claim("anna", "1", has_account=True)
    return made


def test_many_pages_at_once_renew_once(authenticator: Any, provider: Provider) -> None:
    anna = Anna()

    async def five() -> list[Any]:
        return list(await asyncio.gather(*(authenticator.refresh_user(anna) for _ in range(5))))

    assert [bool(each) for each in done(five())] == [True] * 5
    assert provider.renewals == 1
    # What was renewed is what the next one begins with, whoever keeps what was answered.
    assert anna.state["refresh_token"] == provider.good
    anna.state["token_response"]["renew_at"] = 1.0
    assert done(authenticator.refresh_user(anna))
    assert provider.renewals == 2


def test_a_browser_that_goes_away_takes_nobody_s_answer_along(
    authenticator: Any, provider: Provider
) -> None:
    async def two() -> Any:
        first = asyncio.ensure_future(authenticator.refresh_user(Anna()))
        second = asyncio.ensure_future(authenticator.refresh_user(Anna()))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert done(two())


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 599])
@pytest.mark.parametrize("path", ["token", "me"])
def test_a_provider_that_is_busy_or_away_ends_no_session(
    authenticator: Any, provider: Provider, path: str, code: int
) -> None:
    anna = Anna()
    provider.answers[path] = code
    assert done(authenticator.refresh_user(anna)) is True
    provider.answers.clear()
    assert done(authenticator.refresh_user(anna))  # no token was lost meanwhile


@pytest.mark.parametrize("code", [400, 401, 403])
def test_one_that_refuses_ends_it(authenticator: Any, provider: Provider, code: int) -> None:
    provider.answers["token"] = code
    assert done(authenticator.refresh_user(Anna())) is False


def test_the_rights_are_the_providers_of_now(authenticator: Any, provider: Provider) -> None:
    provider.groups = ["students", "teachers"]
    assert done(authenticator.refresh_user(Anna()))["admin"] is True
    provider.groups = ["students"]
    authenticator.admin_groups = set()  # nobody is an admin by a group any more
    provider.good = "refresh-0"
    assert done(authenticator.refresh_user(Anna()))["admin"] is False
    provider.groups, provider.good = [], "refresh-0"
    assert done(authenticator.refresh_user(Anna())) is False


def test_a_session_that_is_left_claims_no_name(authenticator: Any, provider: Provider) -> None:
    authenticator._subjects.free("anna")  # make roster RESET=anna
    assert done(authenticator.refresh_user(Anna())) is False
    assert authenticator._subjects.known() == {}


def test_at_the_hubs_start_an_admins_group_counts_that_is_one_now(authenticator: Any) -> None:
    prof: Any = SimpleNamespace(name="prof", groups=[orm.Group(name="teachers")])
    assert done(authenticator.told_admin(prof))
    authenticator.admin_groups = {"staff"}
    assert not done(authenticator.told_admin(prof))
