"""What is kept of a login by OpenID Connect: what it takes to go on with it, and no more."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hubkit.login import oidc
from hubkit.login.subjects import Subjects
from hubkit.login.taken import Taken
from hubkit.settings import Endpoints, LoginKind, Oidc
from jupyterhub import orm

PROVIDER = Oidc(
    name="IAM",
    issuer=None,
    endpoints=Endpoints(authorize="https://x/a", token="https://x/t", userinfo="https://x/u"),
    client_id="hub",
    scopes=["openid"],
    username_claims=["preferred_username"],
    fold_case=True,
    groups_claim="groups",
    groups_url=None,
    groups_item=None,
    everyone=True,
    users=[],
    groups=[],
    domains=[],
    admin_groups=[],
)
CLAIMS = {"sub": "7", "preferred_username": "anna", "email": "anna@x.it", "birthdate": "2001-01-01"}


class Provider:
    """Answers as one does; its tokens are counted, and each is good for a while."""

    def __init__(self) -> None:
        self.given = 0

    async def httpfetch(self, url: str, *_: Any, **how: Any) -> dict[str, Any]:
        if url == "https://x/u":
            return dict(CLAIMS)
        self.given += 1
        return {
            "access_token": f"access-{self.given}",
            "refresh_token": "refresh",
            "id_token": "a-proof-of-who-it-is",
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": "openid email",
        }


def done(work: Coroutine[Any, Any, Any]) -> Any:
    with closing(asyncio.new_event_loop()) as loop:  # asyncio.run would end that of other tests
        return loop.run_until_complete(work)


@pytest.fixture
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(oidc, "STATE", tmp_path)
    made = oidc.OidcAuthenticator(oidc=PROVIDER, client_id="hub", client_secret="x")
    made.db = orm.new_session_factory("sqlite://")()
    made._subjects = Subjects(LoginKind.oidc, Taken(tmp_path, tmp_path), tmp_path)
    made._subjects.claim("anna", CLAIMS["sub"], has_account=True)
    provider = Provider()
    monkeypatch.setattr(made, "httpfetch", provider.httpfetch)
    made.authorize_url, made.token_url, made.userdata_url = (
        "https://x/a",
        "https://x/t",
        "https://x/u",
    )
    made.provider = provider

    async def authenticate(*_: Any) -> Any:
        return await made._token_to_auth_model(await made.get_token_info(None, {}))

    monkeypatch.setattr(made, "authenticate", authenticate)
    return made


def test_of_a_login_only_its_tokens_are_kept(login: Any) -> None:
    model = done(login.get_authenticated_user(None, None))
    assert (model["name"], model["groups"]) == ("anna", [])
    kept = model["auth_state"]
    assert (kept["access_token"], kept["refresh_token"]) == ("access-1", "refresh")
    written = json.dumps(kept)
    for more in ("anna", "2001", "a-proof", "openid", "7"):
        assert more not in written.replace(str(kept["token_response"][oidc._RENEW_AT]), "")


@pytest.mark.parametrize("full", [True, False], ids=["of an earlier release", "of this one"])
def test_the_login_goes_on_with_it(login: Any, full: bool) -> None:
    first = done(login.authenticate())
    state = first["auth_state"] if full else oidc._with_what_is_kept(first)["auth_state"]

    def refreshed() -> dict[str, Any]:
        async def get_auth_state() -> dict[str, Any]:
            return state

        async def save_auth_state(kept: Any) -> None:
            assert "anna@x.it" not in json.dumps(kept)

        user = SimpleNamespace(
            name="anna", get_auth_state=get_auth_state, save_auth_state=save_auth_state
        )
        model = done(login.refresh_user(user))
        assert model["groups"] == []
        assert "anna@x.it" not in json.dumps(model["auth_state"])
        return dict(model["auth_state"])

    state = refreshed()
    assert state["access_token"] == "access-1"
    state["token_response"][oidc._RENEW_AT] = time.time() - 1
    state = refreshed()  # with the first one's refresh token
    assert (state["access_token"], state["refresh_token"]) == ("access-2", "refresh")
