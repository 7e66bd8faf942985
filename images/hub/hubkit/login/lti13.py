"""Login kind `lti13`: people come from a course of a learning platform (Moodle, Canvas, …)."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
from jupyterhub import crypto, orm
from ltiauthenticator.lti13.auth import LTI13Authenticator
from ltiauthenticator.lti13.constants import LTI13_CUSTOM_CLAIM
from ltiauthenticator.lti13.error import ValidationError
from ltiauthenticator.lti13.handlers import LTI13CallbackHandler
from ltiauthenticator.lti13.validator import LTI13LaunchValidator
from ltiauthenticator.utils import convert_request_to_dict
from tornado import web
from traitlets import Instance

from .. import names
from ..settings import LoginKind, Lti13, Secrets, Settings
from .subjects import Subjects, refused

PATIENCE = 10.0  # seconds for an answer of the platform
KEYS_KEPT = 3600.0  # seconds; a key that isn't among them is asked for at once
_CLAIM = "https://purl.imsglobal.org/spec/lti/claim"
_TEACHER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"


class CallbackHandler(LTI13CallbackHandler):
    """Where the platform sends people to: as ltiauthenticator does, with keys that are kept."""

    async def post(self) -> None:
        """Somebody comes."""
        try:
            claims = await self._claims()
        except (ValidationError, jwt.PyJWTError) as error:
            raise web.HTTPError(400, str(error)) from None
        user = await self.login_user(claims)
        if user is None:
            raise web.HTTPError(403)
        await self.redirect_to_next_url(user)

    async def _claims(self) -> dict[str, Any]:
        validator = LTI13LaunchValidator(parent=self.app)
        given = convert_request_to_dict(self.request.arguments)
        validator.validate_auth_response(given)
        self.check_state()
        claims: dict[str, Any] = await self.authenticator.verified(given["id_token"])
        validator.validate_id_token(claims)
        validator.validate_azp_claim(claims, self.authenticator.client_id)
        self.check_nonce(claims)
        return claims


class CourseAuthenticator(LTI13Authenticator):
    """LTI 1.3, for the courses that the stack names, with names that are safe everywhere."""

    lti = Instance(Lti13, config=True, help="The platform, and which of its courses.")
    callback_handler = CallbackHandler

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.enable_auth_state = True
        self._subjects = Subjects(LoginKind.lti13)
        self._keys = jwt.PyJWKClient(self.lti.jwks_url, lifespan=KEYS_KEPT, timeout=PATIENCE)
        # One at a time: the first one's answer is all others'.
        self._fetching = ThreadPoolExecutor(1, thread_name_prefix="lti-keys")

    async def verified(self, token: str) -> dict[str, Any]:
        """What the platform has signed; nobody waits for its keys but who comes with a new one."""
        loop = asyncio.get_running_loop()
        try:
            key = await loop.run_in_executor(
                self._fetching, self._keys.get_signing_key_from_jwt, token
            )
        except jwt.PyJWKClientConnectionError as error:
            raise web.HTTPError(
                503, f"{self.lti.jwks_url} does not answer ({error}). Try again soon."
            ) from None
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=self.jwks_algorithms,
            audience=self.client_id,
            issuer=self.lti.issuer,
        )
        return claims

    # Who it is

    def get_username(self, token: dict[str, Any]) -> str:
        """The hub's name for the person that the platform tells of."""
        key = self.lti.username_claim
        custom = key.startswith("custom_")
        told = token.get(LTI13_CUSTOM_CLAIM) or {} if custom else token
        name = told.get(key.removeprefix("custom_") if custom else key)
        if not name:
            raise web.HTTPError(
                403,
                f"Your course told no {key}. Your teacher can let the platform tell it (in Moodle: "
                "the tool's Privacy), or take another by jupyterhub:hub.login.lti13.username_claim",
            )
        return names.mapped(str(name), fold_case=True)

    async def authenticate(self, handler: Any, data: Any = None) -> dict[str, Any]:
        """Lets in whom a course of the stack's sends; its teachers are admins where it says so."""
        course = _course(data)
        self._require_course(course)
        name = self.get_username(data)
        if not self._claim(name, str(data.get("sub") or "")):
            raise refused(name)
        return {"name": name, "admin": self._is_admin(name, course), "auth_state": course}

    def _require_course(self, course: dict[str, Any]) -> None:
        for key, found, wanted in (
            ("deployments", course["deployment"], self.lti.deployments),
            ("contexts", course["context"], self.lti.contexts),
        ):
            if not (found in wanted or (key == "contexts" and self.lti.every_course)):
                told = f"`{found}` has to be among" if found else "the platform told none for"
                raise web.HTTPError(
                    403,
                    "This hub isn't for the course that you come from. Your teacher can look: "
                    f"{told} jupyterhub:hub.login.lti13.{key}",
                )

    def _claim(self, name: str, subject: str) -> bool:
        known = orm.User.find(self.db, name)
        was_here = known is not None and known.last_activity is not None
        return self._subjects.claim(name, subject, was_here)

    def _is_admin(self, name: str, course: dict[str, Any]) -> bool:
        return name in self.admin_users or (self.lti.teachers_are_admins and course["teaches"])

    async def told_admin(self, user: Any) -> bool:
        """Whether somebody came as a teacher last time."""
        try:
            course = await crypto.decrypt(user.encrypted_auth_state)
        except Exception:  # none, or by another key: the next click in the course tells
            return False
        return self._is_admin(user.name, course)

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> Any:
        """By what the course said last, and the stack file says now."""
        course = await user.get_auth_state()
        if not course:
            return False
        try:
            self._require_course(course)
        except web.HTTPError:
            return False
        return {"name": user.name, "admin": self._is_admin(user.name, course), "auth_state": course}


def _course(claims: dict[str, Any]) -> dict[str, Any]:
    """Where somebody comes from: all that is kept of what the platform tells."""
    return {
        "deployment": claims.get(f"{_CLAIM}/deployment_id"),
        "context": (claims.get(f"{_CLAIM}/context") or {}).get("id"),
        "teaches": _TEACHER in (claims.get(f"{_CLAIM}/roles") or []),
    }


def configure(c: Any, settings: Settings, secrets: Secrets) -> None:
    """Sets the platform."""
    lti = settings.login.lti13
    if lti is None:
        raise ValueError("login kind lti13 needs its section")
    c.JupyterHub.authenticator_class = CourseAuthenticator
    c.CourseAuthenticator.lti = lti
    c.CourseAuthenticator.issuer = lti.issuer
    c.CourseAuthenticator.authorize_url = lti.authorize_url
    c.CourseAuthenticator.jwks_endpoint = lti.jwks_url
    c.CourseAuthenticator.client_id = {lti.client_id}
    c.CourseAuthenticator.uri_scheme = settings.public_url.partition(":")[0]
    c.CourseAuthenticator.tool_name = settings.title
    c.CourseAuthenticator.allow_all = True  # whom the platform sends was looked at before
