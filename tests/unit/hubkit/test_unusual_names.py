"""Names that can't be, in every kind of login: refused, or another name is given."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hubkit import names
from hubkit.login import KINDS, class_password, lti13, oidc, roster, signup
from hubkit.settings import LoginKind, Lti13, Oidc
from tornado import web

UNUSUAL = [
    "anna`",
    "anna(1)",
    "../state",
    "..",
    ".",
    "a/b",
    "a%2Fb",
    "anna\x00",
    "anna\nben",
    "-rf",
    "$anna",
    "a b",
    "ä",
    "\uff41\uff4e\uff4e\uff41",  # anna, in wide letters
    "anna\u200b",  # anna, and a space of no width
    "<anna>",
    "x" * 200,
]
ASK_FOR_A_NAME: dict[LoginKind, Any] = {
    LoginKind.class_password: class_password.ClassPasswordAuthenticator,
    LoginKind.roster: roster.RosterAuthenticator,
    LoginKind.signup: signup.SignupAuthenticator,
}


def told_by_a_provider(identity: str) -> str:
    authenticator: Any = oidc.OidcAuthenticator.__new__(oidc.OidcAuthenticator)
    claims = ["preferred_username"]
    authenticator.oidc = Oidc.model_construct(username_claims=claims, fold_case=False)
    return str(authenticator._name_of({"preferred_username": identity, "sub": "1"}))


def told_by_a_course(identity: str) -> str:
    lti = Lti13.model_construct(username_claim="email", jwks_url="https://x/keys")
    authenticator = lti13.CourseAuthenticator(lti=lti)
    return authenticator.get_username({"email": identity, "sub": "1"})


TOLD_BY_OTHERS = {LoginKind.oidc: told_by_a_provider, LoginKind.lti13: told_by_a_course}


def test_every_kind_is_tried() -> None:
    assert set(KINDS) == set(LoginKind) == ASK_FOR_A_NAME.keys() | TOLD_BY_OTHERS.keys()


@pytest.mark.parametrize("kind", ASK_FOR_A_NAME)
@pytest.mark.parametrize("name", UNUSUAL)
def test_a_form_refuses_it_before_anything_else(kind: LoginKind, name: str) -> None:
    asked: Any = ASK_FOR_A_NAME[kind]
    authenticator = asked.__new__(asked)  # without a database: none may be looked into
    authenticator.username_map = {}
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(web.HTTPError, match="403"):
            loop.run_until_complete(
                authenticator.authenticate(None, {"username": name, "password": "x"})
            )
    finally:
        loop.close()


@pytest.mark.parametrize("name", UNUSUAL)
def test_nobody_signs_up_by_it(name: str) -> None:
    authenticator: Any = signup.SignupAuthenticator.__new__(signup.SignupAuthenticator)
    authenticator.username_map = {}
    with pytest.raises(web.HTTPError, match="403"):
        authenticator.create_user(name, "a long password")


@pytest.mark.parametrize("kind", TOLD_BY_OTHERS)
@pytest.mark.parametrize("name", UNUSUAL)
def test_who_is_told_by_others_gets_another_name(kind: LoginKind, name: str) -> None:
    given = TOLD_BY_OTHERS[kind](name)
    assert names.is_allowed(given)
    assert given != "anna"
