"""Login kind `lti13`: people come from a course of a learning platform (Moodle, Canvas, …)."""

from __future__ import annotations

from typing import Any

from ltiauthenticator.lti13.auth import LTI13Authenticator
from traitlets import Bool

from .. import names
from ..settings import Secrets, Settings

_ROLES = "https://purl.imsglobal.org/spec/lti/claim/roles"
_TEACHER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"


class CourseAuthenticator(LTI13Authenticator):
    """LTI 1.3, with names that are safe everywhere."""

    teachers_are_admins = Bool(False, config=True, help="Whether a course's teachers are admins.")

    def get_username(self, token: dict[str, Any]) -> str:
        """The hub's name for the person that the platform tells of."""
        return names.mapped(super().get_username(token), fold_case=True)

    async def authenticate(self, handler: Any, data: Any = None) -> dict[str, Any]:
        """The course's teachers are admins where the stack says so."""
        found: dict[str, Any] = await super().authenticate(handler, data)
        teaches = _TEACHER in (data or {}).get(_ROLES, [])
        if found["name"] in self.admin_users or (self.teachers_are_admins and teaches):
            found["admin"] = True
        return found


def configure(c: Any, settings: Settings, secrets: Secrets) -> None:
    """Sets the platform."""
    lti = settings.login.lti13
    if lti is None:
        raise ValueError("login kind lti13 needs its section")
    c.JupyterHub.authenticator_class = CourseAuthenticator
    c.CourseAuthenticator.issuer = lti.issuer
    c.CourseAuthenticator.authorize_url = lti.authorize_url
    c.CourseAuthenticator.jwks_endpoint = lti.jwks_url
    c.CourseAuthenticator.client_id = {lti.client_id}
    c.CourseAuthenticator.username_key = lti.username_claim
    c.CourseAuthenticator.uri_scheme = settings.public_url.partition(":")[0]
    c.CourseAuthenticator.tool_name = settings.title
    c.CourseAuthenticator.allow_all = True  # the platform only sends who is in the course
    c.CourseAuthenticator.teachers_are_admins = lti.teachers_are_admins
