import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.imap.errors import Refused
from services.sync.imap.parser import Value, parse_values
from services.sync.imap.sections import SLICE_OCTETS
from services.sync.imap.structure import Structure, structure_in
from tests.sync.imap.scripted import Peer, opened, talking_to

PLAIN = b'("TEXT" "PLAIN" ("CHARSET" "UTF-8") NIL NIL "7BIT" 3028 92 NIL NIL NIL NIL)'


def read(raw: bytes) -> Structure | None:
    return structure_in(parse_values([raw])[0])


def flat(part: Structure) -> list[tuple[str, str]]:
    return [(part.section, part.media_type), *(one for each in part.parts for one in flat(each))]


def test_a_plain_message_is_its_only_part():
    assert read(PLAIN) == Structure(
        section="1",
        media_type="text/plain",
        params={"charset": "UTF-8"},
        disposition=None,
        disposition_params={},
        content_id=None,
        encoding="7bit",
        size=3028,
    )


def test_every_part_has_the_name_by_which_it_is_asked_for():
    """The example of RFC 9051 §6.4.5."""
    gif = b'("IMAGE" "GIF" NIL NIL NIL "BASE64" 9)'
    stuff = b'("APPLICATION" "OCTET-STREAM" NIL NIL NIL "BASE64" 9)'
    envelope = b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
    alternative = b"(" + PLAIN + b'("TEXT" "RICHTEXT" NIL NIL NIL "7BIT" 1 1) "ALTERNATIVE")'
    third = b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 9 %s (%s%s "MIXED") 9)' % (
        envelope,
        PLAIN,
        stuff,
    )
    fourth = b'(%s("message" "rfc822" NIL NIL NIL "7BIT" 9 %s (%s%s "MIXED") 9) "MIXED")' % (
        gif,
        envelope,
        PLAIN,
        alternative,
    )
    whole = read(b"(" + PLAIN + stuff + third + fourth + b' "MIXED" ("BOUNDARY" "x") NIL NIL)')
    assert whole is not None
    assert flat(whole) == [
        ("TEXT", "multipart/mixed"),
        ("1", "text/plain"),
        ("2", "application/octet-stream"),
        ("3", "message/rfc822"),
        ("3.TEXT", "multipart/mixed"),
        ("3.1", "text/plain"),
        ("3.2", "application/octet-stream"),
        ("4", "multipart/mixed"),
        ("4.1", "image/gif"),
        ("4.2", "message/rfc822"),
        ("4.2.TEXT", "multipart/mixed"),
        ("4.2.1", "text/plain"),
        ("4.2.2", "multipart/alternative"),
        ("4.2.2.1", "text/plain"),
        ("4.2.2.2", "text/richtext"),
    ]
    assert whole.params == {"boundary": "x"}
    assert [part.message for part in whole.parts] == [False, False, True, False]


def test_a_single_part_inside_a_message_is_its_number_one():
    whole = read(
        b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 9 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) '
        + PLAIN
        + b" 9)"
    )
    assert whole is not None
    assert flat(whole) == [("1", "message/rfc822"), ("1.1", "text/plain")]


ATTACHED = b'("APPLICATION" "PDF" ("NAME" "a.pdf") "<a@b>" NIL "BASE64" 77 '


@pytest.mark.parametrize(
    "raw",
    [
        ATTACHED + b'NIL ("ATTACHMENT" ("FILENAME" "a.pdf")) NIL NIL)',
        # as servers send it that leave out a field, or add one
        ATTACHED + b'("ATTACHMENT" ("FILENAME" "a.pdf")))',
        ATTACHED + b'NIL "attachment; filename=\\"a.pdf\\"" NIL NIL)',
        ATTACHED + b'NIL NIL NIL ("attachment" (filename a.pdf)) ("en" "de") X)',
        b"(application pdf (NAME a.pdf) <a@b> NIL base64 77 NIL (attachment (filename a.pdf)))",
    ],
)
def test_what_an_attachment_is_called_is_known(raw: bytes):
    part = read(raw)
    assert part is not None
    assert (part.media_type, part.size, part.encoding) == ("application/pdf", 77, "base64")
    assert (part.disposition, part.disposition_params) == ("attachment", {"filename": "a.pdf"})
    assert (part.content_id, part.params) == ("<a@b>", {"name": "a.pdf"})


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"(NIL NIL NIL NIL NIL NIL NIL)", [("1", "application/octet-stream")]),
        (b'("TEXT" "PLAIN")', [("1", "text/plain")]),
        (b'("TEXT" "PLAIN" NIL NIL NIL NIL 99999999999999999999999999)', [("1", "text/plain")]),
        (b'("TEXT" "PLAIN" (NIL NIL "a") NIL NIL "7BIT" -4 NIL)', [("1", "text/plain")]),
        (b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" NIL NIL NIL)', [("1", "message/rfc822")]),
        (b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" NIL)', [("1", "message/rfc822")]),
        (b'(NIL "MIXED" NIL)', [("TEXT", "multipart/mixed")]),
        (
            b"((NIL NIL NIL NIL NIL NIL NIL) NIL)",
            [("TEXT", "multipart/mixed"), ("1", "application/octet-stream")],
        ),
    ],
)
def test_what_is_missing_does_no_harm(raw: bytes, expected: list[tuple[str, str]]):
    part = read(raw)
    assert part is not None
    assert (flat(part), part.size, part.message) == (expected, 0, False)


@pytest.mark.parametrize(
    "raw",
    [
        b"NIL",
        b"()",
        b'"TEXT"',
        b"(" * 200 + b'"TEXT" "PLAIN"' + b")" * 200,
        b"(" + PLAIN * 10_001 + b'"MIXED")',
        b'(() "MIXED")',
    ],
)
def test_what_cannot_be_a_message_is_left_out(raw: bytes):
    assert read(raw) is None


VALUES = st.recursive(
    st.none() | st.binary(max_size=8) | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=12),
    max_leaves=60,
)


@given(VALUES)
def test_nothing_a_server_says_does_harm(value: Value):
    structure_in(value)


async def test_the_structures_of_many_messages_are_asked_for_together():
    async def more(peer: Peer) -> None:
        await peer.expects(r"UID FETCH 1:3,9 \(UID BODYSTRUCTURE\)")
        await peer.says(
            b"* 1 FETCH (UID 1 BODYSTRUCTURE " + PLAIN + b")",
            '* 2 FETCH (BODYSTRUCTURE ("TEXT" "PLAIN" ("NAME" {3}',
            'a"b) NIL NIL "7BIT" 1 1) UID 2)',
            "* 3 FETCH (UID 3 BODYSTRUCTURE NIL)",
            "{tag} OK done",
        )
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        found = await session.structure([1, 2, 3, 9])
    assert set(found) == {1, 2}
    assert found[2].params == {"name": 'a"b'}


async def test_parts_of_a_message_are_read_without_the_rest():
    async def more(peer: Peer) -> None:
        await peer.expects(
            r"UID FETCH 7 \(UID BODY.PEEK\[HEADER\] BODY.PEEK\[1.2\] BODY.PEEK\[1.2.MIME\] "
            r"BODY.PEEK\[3.TEXT\] BODY.PEEK\[4\]\)"
        )
        await peer.says(
            "* 2 FETCH (UID 7 FLAGS (\\Seen))",
            b'* 2 FETCH (UID 7 BODY[header] {5}\r\na: b\n BODY[1.2] "" BODY[1.2.MIME] NIL)',
            b"* 2 FETCH (BODY[3.TEXT] {1}\r\nx UID 7 BODY[5] y)",
            b"* 3 FETCH (UID 8 BODY[4] {1}\r\nz)",
            "{tag} OK done",
        )
        await peer.expects(r"UID FETCH 7 \(UID BODY.PEEK\[\]<0.5>\)")
        await peer.says('* 2 FETCH (UID 7 BODY[]<0> "Subject: and more than that")', "{tag} OK")
        await peer.expects("UID FETCH 8 .*")
        await peer.says("* 2 FETCH (UID 8 BODY[]<0> NIL)", "{tag} OK")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        found = await session.sections(7, ["HEADER", "1.2", "1.2.mime", "3.TEXT", "4"])
        assert found == {"HEADER": b"a: b\n", "1.2": b"", "3.TEXT": b"x"}
        assert await session.sections(7, []) == {}
        assert await session.beginning(7, 5) == b"Subje"
        assert await session.beginning(8, 5) is None
        for name in ("", "1.2]", "0", "1..2", "MIME", "1 BODY[]"):
            with pytest.raises(ValueError, match="not a part"):
                await session.sections(7, [name])


async def test_parts_of_many_messages_are_asked_for_before_the_first_has_come():
    async def more(peer: Peer) -> None:
        tags: list[str] = []
        for uid, asked in ((7, r"BODY.PEEK\[1\]"), (8, r"BODY.PEEK\[HEADER\] BODY.PEEK\[2\]")):
            await peer.expects(rf"UID FETCH {uid} \(UID {asked}\)")
            tags.append(peer.tag)
        for uid in (9, 10):
            await peer.expects(rf"UID FETCH {uid} .*")
            tags.append(peer.tag)
        await peer.says(
            "* 4 FETCH (UID 8 BODY[2] {3}\r\ntwo)",
            "* 3 FETCH (UID 7 BODY[1] {3}\r\none)",
            f"{tags[0]} OK done",
            "* 9 EXPUNGE",
            "* 4 FETCH (UID 8 BODY[HEADER] {4}\r\nhead)",
            f"{tags[1]} OK done",
            f"{tags[2]} NO cannot be read",
        )
        await peer.expects("UID FETCH 11 .*")
        await peer.says(f"{tags[3]} NO [EXPUNGEISSUED] gone", "{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        wanted = {7: ["1"], 8: ["HEADER", "2"], 9: ["1"], 10: ["1"], 11: ["1"], 12: []}
        found = [each async for each in session.sections_of_each(wanted)]
    refused = dict(found).pop(9)
    assert isinstance(refused, Refused)
    assert refused.text == "cannot be read"
    assert [each for each in found if each[0] != 9] == [
        (7, {"1": b"one"}),
        (8, {"HEADER": b"head", "2": b"two"}),
        (10, {}),
        (11, {}),
    ]


async def test_a_part_is_read_slice_by_slice_to_its_end():
    async def more(peer: Peer) -> None:
        await peer.expects(rf"UID FETCH 7 \(UID BODY.PEEK\[2\]<0.{SLICE_OCTETS}>\)")
        await peer.sends(b"* 2 FETCH (UID 7 BODY[2]<0> {%d}\r\n" % SLICE_OCTETS)
        await peer.sends(b"a" * SLICE_OCTETS)
        await peer.says(")", "{tag} OK")
        await peer.expects(rf"UID FETCH 7 \(UID BODY.PEEK\[2\]<{SLICE_OCTETS}.{SLICE_OCTETS}>\)")
        await peer.says(f'* 2 FETCH (BODY[2]<{SLICE_OCTETS}> "end" UID 7)', "{tag} OK")
        await peer.expects(r"UID FETCH 8 .*")  # gone
        await peer.says("{tag} OK")
        await peer.expects(r"UID FETCH 9 .*")  # there is no such part
        await peer.says("* 3 FETCH (UID 9 BODY[2]<0> NIL)", "{tag} OK")
        await peer.expects(r"UID FETCH 10 \(UID BODY.PEEK\[\]<0.*>\)")
        await peer.says('* 4 FETCH (UID 10 BODY[]<0> "")', "{tag} OK")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        assert [len(data) async for data in session.slices(7, "2")] == [SLICE_OCTETS, 3]
        assert [data async for data in session.slices(8, "2")] == []
        assert [data async for data in session.slices(9, "2")] == []
        assert [data async for data in session.slices(10, "")] == [b""]
        with pytest.raises(ValueError, match="not a part"):
            _ = [data async for data in session.slices(7, "2]")]


@pytest.mark.parametrize("octets", [SLICE_OCTETS, 2 * SLICE_OCTETS + 5])
async def test_a_server_that_gives_all_of_a_part_at_once_gives_it_once(octets: int):
    async def more(peer: Peer) -> None:
        for _ in range(2 if octets == SLICE_OCTETS else 1):
            await peer.expects(r"UID FETCH 7 .*")
            await peer.sends(b"* 2 FETCH (UID 7 BODY[2] {%d}\r\n" % octets)
            await peer.sends(b"a" * octets)
            await peer.says(")", "{tag} OK")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        assert sum([len(data) async for data in session.slices(7, "2")]) == octets
