"""Signing in by an access token (OAUTHBEARER, RFC 7628; XOAUTH2, as Google wrote it down)."""

from dataclasses import dataclass, field

from aiosmtplib import SMTP

from services.sender.domain.reply import Reply, reply_of
from services.sender.smtp.errors import (
    AuthNotOffered,
    AuthUnavailable,
    Disconnected,
    Phase,
    TokenRefused,
    speaking,
)
from shared.dial.bearer import in_words, mechanism_among

_COMMAND_BYTES = 510  # RFC 5321 §4.5.3.1.4, without the line's end


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, in the place of a password."""

    value: str = field(repr=False)


async def sign_in_with_token(
    connection: SMTP, username: str, token: Token, *, host: str, port: int
) -> None:
    """AUTH with an access token, once; raises a SubmitError."""
    mechanism = mechanism_among({name.upper() for name in connection.server_auth_methods})
    if mechanism is None:
        raise AuthNotOffered(
            Phase.AUTH, message="The server takes no access tokens (OAUTHBEARER, XOAUTH2)."
        )
    said = mechanism.response(username, token.value, host=host, port=port)
    name = mechanism.encode()
    if len(said) + len(name) + 6 <= _COMMAND_BYTES:
        reply = await _say(connection, b"AUTH", name, said)
    else:  # RFC 4954 §4: what makes the command too long waits to be asked for
        reply = await _say(connection, b"AUTH", name)
        if reply.code == 334:
            reply = await _say(connection, said)
    words = ""
    if reply.code == 334:
        words = in_words(reply.text)
        reply = await _say(connection, mechanism.after_error)
        if reply.code == 334:
            reply = await _say(connection, b"*")  # RFC 4954 §4
    match reply.code:
        case 235:
            return
        case 421:
            raise Disconnected(Phase.AUTH, reply=reply)
        case code if code // 100 == 5:
            explained = Reply(code, reply.enhanced_code, f"{reply.text} {words}".strip())
            raise TokenRefused(Phase.AUTH, reply=explained)
        case _:
            raise AuthUnavailable(Phase.AUTH, reply=reply)


async def _say(connection: SMTP, *words: bytes) -> Reply:
    with speaking(Phase.AUTH):
        answer = await connection.execute_command(*words)
    return reply_of(answer.code, answer.message)
