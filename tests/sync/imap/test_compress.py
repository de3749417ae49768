# ruff: noqa: PT012 - what is raised must also pass through the session that is open
import asyncio
import tracemalloc
import zlib
from contextlib import aclosing

import pytest

from services.sync.domain.covered import EVERY_UID
from services.sync.imap import Disconnected, Exists, Garbled, Limits, TooLarge
from tests.sync.imap.scripted import PATIENCE, Peer, message, talking_to


class Packed(Peer):
    """A server's end after COMPRESS."""

    def __init__(self, peer: Peer) -> None:
        super().__init__(peer.reader, peer.writer)
        self._deflate = zlib.compressobj(wbits=-15)
        self._inflate = zlib.decompressobj(-15)
        self._said = b""

    def packed(self, raw: bytes) -> bytes:
        return self._deflate.compress(raw) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    async def says(self, *lines: str | bytes) -> None:
        for line in lines:
            raw = line.replace("{tag}", self.tag).encode() if isinstance(line, str) else line
            await self.sends(raw + b"\r\n")

    async def sends(self, raw: bytes) -> None:
        await super().sends(self.packed(raw))

    async def line(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            while b"\r\n" not in self._said:
                heard = await self.reader.read(65_536)
                assert heard, "the client hung up"
                self._said += self._inflate.decompress(heard)
        line, _, self._said = self._said.partition(b"\r\n")
        return line


async def agreed(peer: Peer, *, at_once: bytes = b"") -> Packed:
    """Agree to compress, and go on in the same breath with what is compressed already."""
    await peer.greets("IMAP4rev1 COMPRESS=DEFLATE")
    await peer.expects("COMPRESS DEFLATE")
    packed = Packed(peer)
    answer = f"{peer.tag} OK DEFLATE active\r\n".encode()
    await peer.sends(answer + (packed.packed(at_once) if at_once else b""))
    return packed


async def test_what_travels_is_compressed_both_ways_from_the_first_byte_on():
    async def script(peer: Peer) -> None:
        packed = await agreed(peer, at_once=b"* OK and so it begins\r\n")
        await packed.opens()
        for _ in range(2):
            await packed.expects("UID FETCH 1:200 .*")
            for uid in range(1, 201):
                await packed.says(message(uid, uid, b"%d" % uid * 1_000))
            await packed.says("* 4 EXISTS", "{tag} OK done")
        await packed.parts()

    async with talking_to(script) as session:
        assert await session.compress()
        await session.select("INBOX", readonly=True)
        for _ in range(2):
            fetched = {each.uid: each.raw async for each in session.fetch(range(1, 201), batch=200)}
            assert fetched == {uid: b"%d" % uid * 1_000 for uid in range(1, 201)}
        assert session.take_news() == [Exists(4), Exists(4)]


@pytest.mark.parametrize("cut", [1, 2, 7, 1_000])
async def test_it_does_not_matter_how_the_network_cuts_what_is_compressed(cut: int):
    async def script(peer: Peer) -> None:
        packed = await agreed(peer)
        await packed.opens()
        await packed.expects("UID FETCH .*")
        raw = packed.packed(message(1, 1, b"one" * 100) + f"\r\n{packed.tag} OK\r\n".encode())
        for at in range(0, len(raw), cut):
            peer.writer.write(raw[at : at + cut])
            await peer.writer.drain()
            await asyncio.sleep(0)
        await packed.parts()

    async with talking_to(script) as session:
        assert await session.compress()
        await session.select("INBOX", readonly=True)
        assert [each.raw async for each in session.fetch([1])] == [b"one" * 100]


async def test_compression_may_begin_when_a_mailbox_is_open():
    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 COMPRESS=DEFLATE")
        await peer.opens()
        await peer.expects("COMPRESS DEFLATE")
        packed = Packed(peer)
        await peer.says(f"{peer.tag} OK")
        await packed.parts()

    async with talking_to(script) as session:
        await session.select("INBOX", readonly=True)
        assert await session.compress()


@pytest.mark.parametrize("says", ["NO [COMPRESSIONACTIVE] DEFLATE active via TLS", "BAD what?"])
async def test_a_server_that_will_not_compress_is_spoken_to_as_before(says: str):
    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 COMPRESS=DEFLATE")
        await peer.expects("COMPRESS DEFLATE")
        await peer.says(f"{{tag}} {says}")
        await peer.parts()

    async with talking_to(script) as session:
        assert not await session.compress()


@pytest.mark.parametrize("at_once", [b"* 1 EXISTS, in the clear\r\n", b"\xff" * 100])
async def test_what_should_be_compressed_and_is_not_ends_the_session(at_once: bytes):
    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 COMPRESS=DEFLATE")
        await peer.expects("COMPRESS DEFLATE")
        await peer.sends(f"{peer.tag} OK\r\n".encode() + at_once)
        await peer.reader.read()

    with pytest.raises(Garbled):
        async with talking_to(script) as session:
            await session.compress()
            await session.noop()


async def test_a_stream_that_ends_is_not_gone_on_with():
    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 COMPRESS=DEFLATE")
        await peer.expects("COMPRESS DEFLATE")
        whole = zlib.compressobj(wbits=-15)
        ended = whole.compress(b"* 1 EXISTS\r\n") + whole.flush()
        await peer.sends(f"{peer.tag} OK\r\n".encode() + ended + b"more")
        await peer.reader.read()

    with pytest.raises(Garbled):
        async with talking_to(script) as session:
            await session.compress()
            await session.noop()


async def test_a_few_bytes_that_stand_for_very_many_do_not_fill_memory():
    bomb = zlib.compressobj(wbits=-15)
    some = (b"* 1 EXISTS" + b" " * 10_000 + b"\r\n") * 1_000
    packed = b"".join(bomb.compress(some) for _ in range(20)) + bomb.flush()
    assert len(packed) < 1_000_000

    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 COMPRESS=DEFLATE")
        await peer.expects("COMPRESS DEFLATE")
        await peer.says("{tag} OK")
        await peer.reader.readline()  # something compressed
        peer.writer.write(packed)
        await peer.reader.read()

    with pytest.raises(Disconnected):
        async with talking_to(script, limits=Limits(queued_bytes=1_000_000)) as session:
            await session.compress()
            tracemalloc.start()
            try:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await session.noop()
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert peak < 20_000_000
            await session.noop()


async def test_a_line_that_never_ends_is_too_large_also_when_it_is_compressed():
    bomb = zlib.compressobj(9, wbits=-15)
    packed = b"".join(bomb.compress(b"x" * 1_000_000) for _ in range(100)) + bomb.flush()

    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 COMPRESS=DEFLATE")
        await peer.expects("COMPRESS DEFLATE")
        await peer.sends(f"{peer.tag} OK\r\n".encode() + packed)
        await peer.reader.read()

    with pytest.raises(TooLarge):
        async with talking_to(script, limits=Limits(line_bytes=1_000_000)) as session:
            await session.compress()
            await session.noop()


async def test_a_slow_reader_makes_the_server_wait_also_when_it_is_compressed():
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        packed = await agreed(peer)
        await packed.opens()
        await packed.expects("UID FETCH .*")
        for number in range(2_000):
            lines = b"".join(
                b"* %d FETCH (UID %d FLAGS (\\Seen k%d))\r\n" % (uid, uid, hash((uid, number)))
                for uid in range(1, 501)
            )
            await packed.sends(lines)
            sent += 1

    with pytest.raises(Disconnected):
        async with talking_to(script, limits=Limits(queued_bytes=500_000)) as session:
            await session.compress()
            await session.select("INBOX", readonly=True)
            async with aclosing(session.flags(EVERY_UID)) as pages:
                async for _ in pages:
                    await asyncio.sleep(0.3)
                    ahead = sent
                    break
            assert ahead < 1_900
            await session.noop()
