"""Login kind `oidc`: people log in where they have an account already."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any
from urllib.parse import urlencode

from jupyterhub.apihandlers.base import APIHandler
from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.oauth2 import OAuthCallbackHandler, OAuthLoginHandler
from tornado import web
from tornado.curl_httpclient import CurlAsyncHTTPClient
from tornado.httpclient import HTTPClientError, HTTPRequest
from traitlets import Instance

from .. import names
from ..folders import STATE
from ..settings import LoginKind, Oidc, Secrets, Settings
from .discovery import Discovery, NotFound
from .subjects import Subjects, claimed, refused

TOKEN_SCOPE = "custom:login-token"
PATIENCE = 10.0  # seconds for an answer of the provider
# Of a provider that is too busy: it says nothing about who asks.
_NOT_NOW = {408, 429}
_RENEW_AT = "renew_at"  # in the token's document: when it should be exchanged for a new one


class Away(Exception):
    """The provider doesn't answer just now."""


class LoginHandler(OAuthLoginHandler):
    """Sends the browser to the provider, or says why it can't."""

    async def get(self) -> None:
        """Looks the provider's addresses up first."""
        await self.authenticator.prepare()
        super().get()


class CallbackHandler(OAuthCallbackHandler):
    """Where the provider sends the browser back to."""

    async def get(self) -> None:
        """As oauthenticator does, its most common fault explained."""
        await self.authenticator.prepare()
        await super().get()

    def log_exception(self, *error: Any) -> None:
        """Without what the provider put into the address: its code, the login's state."""
        self.request.uri = self.request.path
        super().log_exception(*error)

    def check_state(self) -> None:
        """A login that began under another name of this hub has no state here."""
        if not self.get_state_cookie():
            hub = self.authenticator.hub_url
            raise web.HTTPError(400, f"This login did not begin at {hub}. Open that address.")
        super().check_state()


class TokenHandler(APIHandler):
    """`/hub/api/login-token`: the user's own access token, for programs in their server."""

    async def get(self) -> None:
        """A token that is good for a while. Never the one that makes new ones."""
        user = self.current_user
        # Only a server's own token has this scope: one that a visitor left at somebody's server,
        # or a page that a visitor's browser shows, may ask for nothing.
        name = getattr(user, "name", "")
        if f"{TOKEN_SCOPE}!user={name}" not in self.expanded_scopes or self.get_token() is None:
            raise web.HTTPError(403, "Ask with the token of a user's own server.")
        if await self.refresh_auth(user, force=True) is None:
            raise web.HTTPError(403, "Your login has ended: log in at the hub again.")
        state = await user.get_auth_state() or {}
        if not state.get("access_token"):
            raise web.HTTPError(404, "There is no token: log in at the hub again.")
        self.set_header("Cache-Control", "no-store")
        self.finish({"access_token": state["access_token"]})


class OidcAuthenticator(GenericOAuthenticator):
    """Any provider of OpenID Connect, with names that are safe, and groups that are looked at."""

    oidc = Instance(Oidc, config=True, help="The provider, and who may come in.")
    login_handler = LoginHandler
    callback_handler = CallbackHandler

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.username_claim = self._name_of
        self.manage_groups = True
        self.enable_auth_state = True
        self.auth_refresh_age = 60  # who lost a group is out within this many seconds
        self.refresh_pre_spawn = True
        self._discovery = Discovery(
            self.oidc.issuer or "", self._fetch_json, STATE / "oidc-discovery.json"
        )
        self._subjects = Subjects(LoginKind.oidc)
        self._asking: dict[str, asyncio.Future[Any]] = {}  # about whom, for all who want to know
        self._redirect_is_known = False
        self.custom_403_message = (
            f"{self.oidc.name} knows you, but nobody let you into this hub. Ask your teacher."
        )

    # The provider's addresses

    @property
    def hub_url(self) -> str:
        """The hub, as browsers have to call it."""
        return str(self.oauth_callback_url).removesuffix("hub/oauth_callback")

    def get_handlers(self, app: Any) -> list[tuple[str, Any]]:
        """The token's address as well. Looks whether the provider answers, and goes on anyway."""
        self._first_look = asyncio.ensure_future(self._say_whether_it_answers())
        return [*super().get_handlers(app), (r"/api/login-token", TokenHandler)]

    async def _say_whether_it_answers(self) -> None:
        try:
            await self.prepare()
            self.log.info("Login by %s is ready", self.oidc.name)
        except web.HTTPError as error:
            self.log.error("Login: %s", error.log_message)

    async def prepare(self) -> None:
        """Before a login: the provider's addresses, and whether it knows ours."""
        await self._find()
        await self._check_redirect()

    async def _find(self) -> None:
        """Makes the provider's addresses known; an answer for the user where that fails."""
        try:
            found = self.oidc.endpoints or await self._discovery.endpoints()
        except NotFound as error:
            raise web.HTTPError(
                503, f"{self.oidc.name} can't be reached just now ({error}). Try again soon."
            ) from None
        self.authorize_url, self.token_url = found.authorize, found.token
        self.userdata_url = found.userinfo

    async def _check_redirect(self) -> None:
        """Asks once, as a browser would: the provider's own page doesn't say what is right."""
        if self._redirect_is_known:
            return
        asked = {"response_type": "code", "client_id": self.client_id, "scope": "openid"}
        query = urlencode(asked | {"redirect_uri": self.oauth_callback_url})
        request = HTTPRequest(
            f"{self.authorize_url}?{query}", follow_redirects=False, request_timeout=PATIENCE
        )
        try:
            answer = await self.http_client.fetch(request, raise_error=False)
        except Exception:  # the login itself will tell
            return
        if answer.code == 400 and b"redirect" in (answer.body or b"").lower():
            raise web.HTTPError(
                400,
                f"{self.oidc.name} doesn't know this hub's redirect URL. Register exactly this "
                f"one there, for the client {self.client_id}: {self.oauth_callback_url}",
            )
        self._redirect_is_known = True

    async def _fetch_json(self, url: str) -> dict[str, Any]:
        answer: dict[str, Any] = await self.httpfetch(
            url, label="Reading", connect_timeout=PATIENCE, request_timeout=PATIENCE
        )
        return answer

    # Who it is

    def _name_of(self, claims: dict[str, Any]) -> str:
        """The hub's name for the person that the claims are about."""
        told = next((claims[key] for key in self.oidc.username_claims if claims.get(key)), None)
        if told is None:
            wanted = " or ".join(self.oidc.username_claims)
            raise web.HTTPError(
                403,
                f"{self.oidc.name} told no {wanted}: add the scope that brings it, or set "
                "jupyterhub:hub.login.oidc.username_claim",
            )
        return names.mapped(str(told), self.oidc.fold_case)

    async def get_user_groups(self, auth_state: dict[str, Any]) -> set[str]:
        """The groups that the provider tells, by claim or by an address of their own."""
        claims = auth_state[self.user_auth_state_key]
        if self.oidc.groups_url:
            headers = self.build_userdata_request_headers(auth_state["access_token"], "Bearer")
            told: Any = await self.httpfetch(self.oidc.groups_url, headers=headers)
        else:
            told = claims
            for key in self.oidc.groups_claim.split("."):
                told = told.get(key) if isinstance(told, dict) else None
        items = told if isinstance(told, list) else []
        item = self.oidc.groups_item
        return {str(each[item] if item and isinstance(each, dict) else each) for each in items}

    async def check_allowed(self, username: str, auth_model: Any) -> bool:
        """Whether one of the stack's rules lets this person in, and the name is theirs."""
        if auth_model is None:
            return True
        known = await self._is_let_in(username, auth_model)
        if known and not await claimed(
            self._subjects, self.db, username, self._subject(auth_model)
        ):
            raise refused(username)
        return known

    async def _is_let_in(self, name: str, auth_model: Any) -> bool:
        claims = auth_model["auth_state"][self.user_auth_state_key]
        known = self.oidc.everyone or self._has_domain(claims)
        return known or bool(await super().check_allowed(name, auth_model))

    def _subject(self, auth_model: Any) -> str:
        claims = auth_model["auth_state"][self.user_auth_state_key]
        return str(claims.get("sub") or claims.get("id") or "")

    async def told_admin(self, user: Any) -> bool:
        """Whether the provider's groups made somebody an admin, when it was last asked."""
        return bool({group.name for group in user.groups} & self.admin_groups)

    def _has_domain(self, claims: dict[str, Any]) -> bool:
        domain = str(claims.get("email") or "").rpartition("@")[2].lower()
        verified = claims.get("email_verified") in (True, "true")
        return verified and domain in self.oidc.domains

    # Tokens

    async def get_token_info(self, handler: Any, params: Any) -> dict[str, Any]:
        """The provider's answer, with the time when the token should be exchanged."""
        info: dict[str, Any] = await super().get_token_info(handler, params)
        if seconds := float(info.get("expires_in") or 0):
            info[_RENEW_AT] = time.time() + seconds * 0.75
        return info

    async def get_authenticated_user(self, handler: Any, data: Any) -> Any:
        """Of a login only what is needed later is kept."""
        model = await super().get_authenticated_user(handler, data)
        return _with_what_is_kept(model) if model else model

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> Any:
        """Tokens, groups and permission anew. A provider that is away ends nobody's session.

        Once for all who ask at the same time: most providers take the token that makes new ones
        once, and end the login when it comes again.
        """
        if user.name not in self._asking:
            asking = asyncio.ensure_future(self._refresh(user, handler))
            self._asking[user.name] = asking
            asking.add_done_callback(lambda _: self._asking.pop(user.name))
        # A browser that goes away ends its own question only.
        return await asyncio.shield(self._asking[user.name])

    async def _refresh(self, user: Any, handler: Any) -> Any:
        state = await user.get_auth_state()
        if not state:
            return False
        try:
            model = await self._model_now(user, state, handler)
        except Away as error:
            self.log.warning("%s can't be asked about %s: %s", self.oidc.name, user.name, error)
            return True
        except web.HTTPError as error:
            self.log.info("%s has to log in again: %s", user.name, error.log_message)
            return False
        # By the one who logged in: a session that is left over claims no name.
        is_own = self._subjects.is_own(user.name, self._subject(model))
        if not is_own or not await self._is_let_in(user.name, model):
            return False
        model["admin"] = bool(model["admin"])  # None would be: as before
        model = _with_what_is_kept(model)
        await user.save_auth_state(model["auth_state"])  # before anybody asks anew
        return model

    async def _model_now(self, user: Any, state: dict[str, Any], handler: Any) -> dict[str, Any]:
        await self._ask(self._find())
        info = state["token_response"]
        if info.get(_RENEW_AT, float("inf")) < time.time():
            info = await self._renewed(user, state, handler)
        try:
            model: dict[str, Any] = await self._ask(self._token_to_auth_model(info))
        except web.HTTPError:  # ended before its time
            info = await self._renewed(user, state, handler)
            model = await self._ask(self._token_to_auth_model(info))
        return model

    async def _renewed(self, user: Any, state: dict[str, Any], handler: Any) -> dict[str, Any]:
        """A new token, kept at once: the one that it was made with is no good any more."""
        refresh = state.get("refresh_token")
        if not refresh:
            raise web.HTTPError(403, "the login's token has ended")
        params = self.build_refresh_token_request_params(refresh)
        told: dict[str, Any] = await self._ask(self.get_token_info(handler, params))
        info = {"refresh_token": refresh} | told
        await user.save_auth_state(_kept(info))
        return info

    async def _ask(self, question: Any) -> Any:
        """Tells a provider that is away from one that refuses."""
        try:
            return await question
        except HTTPClientError as error:
            if 400 <= error.code < 500 and error.code not in _NOT_NOW:
                raise web.HTTPError(403, str(error)) from None
            raise Away(str(error)) from None
        except web.HTTPError as error:
            if error.status_code >= 500:
                raise Away(str(error.log_message)) from None
            raise
        except (OSError, ValueError) as error:  # no connection, or an answer that is no JSON
            raise Away(str(error)) from None


def _with_what_is_kept(model: dict[str, Any]) -> dict[str, Any]:
    """Of a login only its tokens: not what the provider told of the person, and proved it by."""
    return model | {"auth_state": _kept(model["auth_state"]["token_response"])}


def _kept(answer: dict[str, Any]) -> dict[str, Any]:
    """Of a provider's answer what it takes to ask again."""
    needed = ("access_token", "token_type", "refresh_token", _RENEW_AT)
    info = {key: answer[key] for key in needed if key in answer}
    tokens = {key: answer.get(key) for key in ("access_token", "refresh_token")}
    return tokens | {"token_response": info}


def configure(c: Any, settings: Settings, secrets: Secrets) -> None:
    """Sets the provider, and who may come in."""
    oidc = settings.login.oidc
    if oidc is None or secrets.oidc_client_secret is None:
        raise ValueError("login kind oidc needs its section and oidc_client_secret")
    c.JupyterHub.authenticator_class = OidcAuthenticator
    c.OidcAuthenticator.oidc = oidc
    c.OidcAuthenticator.login_service = oidc.name
    c.OidcAuthenticator.client_id = oidc.client_id
    c.OidcAuthenticator.client_secret = secrets.oidc_client_secret.get_secret_value()
    c.OidcAuthenticator.oauth_callback_url = f"{settings.public_url}/hub/oauth_callback"
    c.OidcAuthenticator.scope = oidc.scopes
    c.OidcAuthenticator.allowed_users = set(oidc.users) | set(settings.login.admins)
    c.OidcAuthenticator.manage_groups = True
    c.OidcAuthenticator.allowed_groups = set(oidc.groups)
    c.OidcAuthenticator.admin_groups = set(oidc.admin_groups)
    _let_servers_ask(c)
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy")):
        # libcurl goes by the proxy's variables, tornado's own client doesn't.
        c.OidcAuthenticator.http_client = CurlAsyncHTTPClient(force_instance=True)


def _let_servers_ask(c: Any) -> None:
    """Each server may ask for its own user's token."""
    c.JupyterHub.custom_scopes = {TOKEN_SCOPE: {"description": "Get one's own login token"}}
    own = f"{TOKEN_SCOPE}!user"
    c.JupyterHub.load_roles += [{"name": "user", "scopes": ["self", own]}]
    # Of whatever spawner: on Kubernetes it is another.
    c.Spawner.server_token_scopes = ["users:activity!user", "access:servers!server", own]
