import pytest

from services.sync.domain.mime.transfer import decoded


@pytest.mark.parametrize(
    ("encoded", "content"),
    [
        (b"TITLE\n=====\n", b"TITLE\n===="),  # the last one joins the line to the next
        (b"TITLE\n=====\nx", b"TITLE\n====x"),
        (b"a == b", b"a == b"),
        (b"===3D=", b"==="),
        (b"=C3=A4=\n=C3=A4 =3D= x", "ää == x".encode()),
        (b"50 =% =zz =", b"50 =% =zz "),
    ],
)
def test_an_equals_sign_that_begins_nothing_stands_for_itself(encoded: bytes, content: bytes):
    assert decoded(encoded, "quoted-printable") == (content, None)
