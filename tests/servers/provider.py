"""An OAuth2 provider on this machine: consent pages, tokens, and an answer for Dovecot's questions.

Its rules are Authlib's (PKCE, codes that are good once, redirect URIs, clients' secrets), so that
what we say is judged by others. Tests say what else happens: tokens that live for a moment, a
refresh token that is replaced at each use, a consent withdrawn, a provider that is down.
"""

import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from flask import Flask, Response, jsonify, request
from joserfc import jwt
from joserfc.jwk import OctKey
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from tests.servers.process import LOOPBACK

CLIENT_ID, CLIENT_SECRET = "postbus-tests", "a-secret-of-the-client"
SCOPES = ("mail", "offline_access", "openid", "email")


@dataclass
class Consent:
    """What a person allowed: known by its refresh token."""

    username: str
    scope: str
    used_up: set[str] = field(default_factory=set)  # refresh tokens that were replaced
    withdrawn: bool = False


@dataclass
class _Access:
    consent: Consent
    expires_at: float


@dataclass
class _Client:
    redirect_uris: list[str]
    client_id: str = CLIENT_ID

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uris[0]

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(one for one in scope.split() if one in SCOPES)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return secrets.compare_digest(client_secret, CLIENT_SECRET)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in ("client_secret_post", "client_secret_basic")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in ("authorization_code", "refresh_token")


@dataclass
class _Code:
    code: str
    username: str
    redirect_uri: str
    scope: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


class _Refresh:
    def __init__(self, token: str, consent: Consent) -> None:
        self.token, self.consent = token, consent

    def check_client(self, client: _Client) -> bool:
        return client.client_id == CLIENT_ID

    def get_scope(self) -> str:
        return self.consent.scope


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing: a query may hold what a test looks for in every log."""


class Provider:
    """A provider that runs while it is entered."""

    label: ClassVar[str] = "Test Mail"

    def __init__(self) -> None:
        self.redirect_uris: list[str] = []
        self.life_seconds: int = 3600
        self.rotates = False  # each refresh token is good once, and its reuse ends the consent
        self.down: int | None = None  # the status of every answer
        self.repeats = False  # knows no client, and says back whatever it was told
        self.refreshes = 0
        self.refused = 0
        self.turned_away = 0  # while it was down
        self.slow = threading.Event()  # cleared: refreshes wait for it
        self.slow.set()
        self.asked = threading.Event()  # a refresh came in
        self.ahead_seconds = 0.0  # the mail server's clock, before ours
        self.tokens: list[str] = []  # whatever was given out, to look for
        self._codes: dict[str, _Code] = {}
        self._refresh: dict[str, Consent] = {}
        self._access: dict[str, _Access] = {}
        self._lock = threading.Lock()
        self._server: BaseWSGIServer | None = None
        self._app = self._made()

    # -- running -------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._server = make_server(LOOPBACK, 0, self._app, threaded=True, request_handler=_Quiet)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.slow.set()
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://{LOOPBACK}:{self._server.server_port}"

    @property
    def authorization_endpoint(self) -> str:
        return f"{self.url}/authorize"

    @property
    def token_endpoint(self) -> str:
        return f"{self.url}/token"

    @property
    def revocation_endpoint(self) -> str:
        return f"{self.url}/revoke"

    @property
    def introspection(self) -> str:
        return f"{self.url}/introspect"

    # -- what tests do -------------------------------------------------------------------------

    def reset(self) -> None:
        """As it was when it began, but for what was given out."""
        self.life_seconds, self.rotates, self.down, self.repeats = 3600, False, None, False
        self.refreshes = self.refused = self.turned_away = 0
        self.ahead_seconds = 0.0
        self.slow.set()
        self.asked.clear()

    def consent_of(self, username: str) -> str:
        """A refresh token, as if this person had consented."""
        return self._made_refresh(Consent(username, " ".join(SCOPES)))

    def token_of(self, username: str) -> str:
        """An access token, as if it had been asked for."""
        token = self._new()
        self._access[token] = _Access(
            Consent(username, " ".join(SCOPES)), time.time() + self.life_seconds
        )
        return token

    def code_for(self, username: str, redirect_uri: str, challenge: str) -> str:
        """A code, as a consenting person's browser would bring it."""
        code = _Code(self._new(), username, redirect_uri, " ".join(SCOPES), challenge, "S256")
        self._codes[code.code] = code
        return code.code

    def withdraw(self, username: str) -> None:
        """The person ends every consent: no token opens anything any more."""
        with self._lock:
            for consent in self._refresh.values():
                if consent.username == username:
                    consent.withdrawn = True

    def is_consented(self, username: str) -> bool:
        """Whether some consent of this person is still good."""
        return any(one.username == username and not one.withdrawn for one in self._refresh.values())

    def expire(self, username: str) -> None:
        """The access tokens of now end early; the consent stays."""
        with self._lock:
            for access in self._access.values():
                if access.consent.username == username:
                    access.expires_at = 0.0

    def is_good(self, token: str) -> bool:
        access = self._access.get(token)
        return (
            access is not None
            and not access.consent.withdrawn
            and access.expires_at > time.time() + self.ahead_seconds
        )

    # -- inside --------------------------------------------------------------------------------

    def _new(self) -> str:
        token = secrets.token_urlsafe(32)
        self.tokens.append(token)
        return token

    def _made_refresh(self, consent: Consent) -> str:
        token = self._new()
        self._refresh[token] = consent
        return token

    def _made(self) -> Flask:
        provider = self
        app = Flask("provider")
        app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True

        class ByCode(grants.AuthorizationCodeGrant):
            TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = ["client_secret_basic", "client_secret_post"]

            def save_authorization_code(self, code: str, request: Any) -> None:
                data = request.payload.data
                provider.tokens.append(code)
                provider._codes[code] = _Code(
                    code,
                    request.user,
                    request.payload.redirect_uri,
                    request.payload.scope,
                    data["code_challenge"],
                    data["code_challenge_method"],
                )

            def query_authorization_code(self, code: str, client: Any) -> _Code | None:
                return provider._codes.get(code)

            def delete_authorization_code(self, authorization_code: _Code) -> None:
                provider._codes.pop(authorization_code.code, None)

            def authenticate_user(self, authorization_code: _Code) -> Consent:
                return Consent(authorization_code.username, authorization_code.scope)

        class ByRefresh(grants.RefreshTokenGrant):
            TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = ["client_secret_basic", "client_secret_post"]

            @property
            def INCLUDE_NEW_REFRESH_TOKEN(self) -> bool:
                return provider.rotates

            def authenticate_refresh_token(self, refresh_token: str) -> _Refresh | None:
                consent = provider._refresh.get(refresh_token)
                if consent is None or consent.withdrawn:
                    return None
                if refresh_token in consent.used_up:
                    consent.withdrawn = True  # RFC 9700 §4.14.2
                    return None
                return _Refresh(refresh_token, consent)

            def authenticate_user(self, refresh_token: _Refresh) -> Consent:
                return refresh_token.consent

            def revoke_old_credential(self, refresh_token: _Refresh) -> None:
                if provider.rotates:
                    refresh_token.consent.used_up.add(refresh_token.token)

        def save_token(token: dict[str, Any], request: Any) -> None:
            consent = request.user
            provider.tokens.append(token["access_token"])
            provider._access[token["access_token"]] = _Access(
                consent, time.time() + token["expires_in"]
            )
            if "refresh_token" in token:
                provider.tokens.append(token["refresh_token"])
                provider._refresh[token["refresh_token"]] = consent
            if request.payload.grant_type == "authorization_code":
                key = OctKey.import_key("0" * 32)
                claims = {"email": consent.username, "aud": CLIENT_ID}
                token["id_token"] = jwt.encode({"alg": "HS256"}, claims, key)

        server = AuthorizationServer()
        server.init_app(
            app,
            query_client=lambda client_id: (
                _Client(provider.redirect_uris) if client_id == CLIENT_ID else None
            ),
            save_token=save_token,
        )
        server.register_grant(ByCode, [CodeChallenge(required=True)])
        server.register_grant(ByRefresh)

        @app.before_request
        def broken() -> Response | None:
            if provider.down is not None and request.path != "/introspect":
                provider.turned_away += 1
                return Response("<h1>Bad Gateway</h1>", provider.down)
            return None

        @app.route("/authorize", methods=["GET", "POST"])
        def authorize() -> Any:
            if request.method == "GET":
                server.get_consent_grant(end_user="nobody")
                hint = request.args.get("login_hint", "")
                return (
                    "<!doctype html><title>Test Mail</title><h1>Test Mail</h1>"
                    "<form method=post><label>Address"
                    f'<input name=username value="{hint}"></label>'
                    "<button name=answer value=allow>Allow</button>"
                    "<button name=answer value=deny>Deny</button></form>"
                )
            user = request.form["username"] if request.form["answer"] == "allow" else None
            return server.create_authorization_response(grant_user=user)

        @app.post("/token")
        def token() -> Any:
            app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {}
            if provider.repeats:
                words = " ".join(request.form.values())
                return jsonify(error="invalid_client", error_description=words), 401
            refreshing = request.form.get("grant_type") == "refresh_token"
            if refreshing:
                provider.asked.set()
                provider.slow.wait(30)
            with provider._lock:
                for grant in ("authorization_code", "refresh_token"):
                    server.register_token_generator(grant, generated)
                answer = server.create_token_response()
                if refreshing:
                    provider.refreshes += answer.status_code == 200
                provider.refused += answer.status_code != 200
            return answer

        def generated(**given: Any) -> dict[str, Any]:
            made: dict[str, Any] = {
                "token_type": "Bearer",
                "access_token": secrets.token_urlsafe(32),
                "expires_in": provider.life_seconds,
                "scope": given.get("scope") or "",
            }
            if given.get("include_refresh_token"):
                made["refresh_token"] = secrets.token_urlsafe(32)
            return made

        class Revocation(RevocationEndpoint):
            CLIENT_AUTH_METHODS: ClassVar = ["client_secret_basic", "client_secret_post"]

            def query_token(self, token_string: str, token_type_hint: str) -> _Refresh | None:
                consent = provider._refresh.get(token_string)
                return _Refresh(token_string, consent) if consent else None

            def revoke_token(self, token: _Refresh, request: Any) -> None:
                token.consent.withdrawn = True

        server.register_endpoint(Revocation)

        @app.post("/revoke")
        def revoke() -> Any:
            return server.create_endpoint_response("revocation")

        @app.post("/introspect")
        def introspect() -> Any:
            token = request.form.get("token", "")
            if not provider.is_good(token):
                return jsonify(active=False)
            return jsonify(active=True, username=provider._access[token].consent.username)

        return app


def for_dovecot(provider: Provider, directory: str) -> tuple[str, str]:
    """What a Dovecot's configuration says, and the file it names, to ask this provider."""
    path = f"{directory}/provider.conf"
    settings = f"""
introspection_url = {provider.introspection}
introspection_mode = post
username_attribute = username
username_format = %Lu
active_attribute = active
active_value = true
tokeninfo_url =
timeout_msecs = 10000
"""
    extra = f"""
auth_mechanisms = plain login oauthbearer xoauth2
passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = {path}
}}
"""
    return extra, settings
