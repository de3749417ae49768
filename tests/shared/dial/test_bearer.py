"""What is said with an access token, and what a refusal of one means."""

import base64
import json

import pytest

from shared.dial.bearer import Mechanism, in_words, mechanism_among


def challenge(said: object) -> bytes:
    return base64.b64encode(json.dumps(said).encode())


def test_the_newer_way_to_show_a_token_is_taken_where_both_are_offered():
    assert mechanism_among({"PLAIN", "XOAUTH2", "OAUTHBEARER"}) is Mechanism.OAUTHBEARER
    assert mechanism_among({"PLAIN", "XOAUTH2"}) is Mechanism.XOAUTH2
    assert mechanism_among({"PLAIN", "LOGIN"}) is None


def test_a_token_is_shown_as_rfc_7628_has_it():
    said = Mechanism.OAUTHBEARER.response("user@example.com", "vF9dft4qmT", host="h", port=143)
    assert base64.b64decode(said) == (
        b"n,a=user@example.com,\x01host=h\x01port=143\x01auth=Bearer vF9dft4qmT\x01\x01"
    )


def test_a_token_is_shown_as_google_has_it():
    said = Mechanism.XOAUTH2.response("someuser@example.com", "ya29.vF9dft", host="h", port=143)
    assert base64.b64decode(said) == (
        b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft\x01\x01"
    )


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a,b", b"a=2Cb"),
        ("a=b", b"a=3Db"),
        ("a=2Cb", b"a=3D2Cb"),
        ("a=3D,", b"a=3D3D=2C"),
        ("ädä@example.org", "ädä@example.org".encode()),
    ],
)
def test_no_name_can_end_the_header_that_it_stands_in(name: str, written: bytes):
    said = base64.b64decode(Mechanism.OAUTHBEARER.response(name, "t", host="h", port=1))
    assert said.partition(b"\x01")[0] == b"n,a=" + written + b","


def test_a_name_of_xoauth2_is_said_as_it_is():
    said = base64.b64decode(Mechanism.XOAUTH2.response("a=b,c", "t", host="h", port=1))
    assert said.startswith(b"user=a=b,c\x01")


def test_an_error_is_answered_so_that_the_server_may_end_it():
    assert base64.b64decode(Mechanism.OAUTHBEARER.after_error) == b"\x01"
    assert Mechanism.XOAUTH2.after_error == b""


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"status": "invalid_token", "scope": "mail"}, "(status invalid_token, scope mail)"),
        # Gmail's own, of a token that has ended.
        (
            {"status": "400", "schemes": "Bearer", "scope": "https://mail.google.com/"},
            "(status 400, scope https://mail.google.com/)",
        ),
        (
            {"status": "invalid_request", "error_description": "Who are you?"},
            "(status invalid_request, error_description Who are you?)",
        ),
        ({"status": 401}, "(status 401)"),
        ({"scope": ""}, ""),
        ({}, ""),
    ],
)
def test_an_error_is_told_in_plain_words(said: object, words: str):
    assert in_words(challenge(said)) == words
    assert in_words(challenge(said).decode() + "\r\n") == words


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"=",
        b"not base64!",
        base64.b64encode(b"not JSON"),
        base64.b64encode(b"\xff\xfe"),
        challenge(["a", "list"]),
        challenge("words"),
        challenge({"status": "a\r\nb"}),
    ],
)
def test_what_is_no_error_has_no_words(said: bytes):
    assert in_words(said) == ""


def test_no_server_has_more_words_than_a_person_reads():
    assert len(in_words(challenge({"status": "x" * 10_000}))) < 310
