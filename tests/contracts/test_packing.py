"""Long facts travel packed; whoever hears them reads either."""

from uuid import uuid4

import msgspec
import pytest
import zstandard

from shared.contracts.account import RetellAccount
from shared.contracts.envelope import MAX_BYTES, decode, encode, pack


def a_command(listener: str) -> RetellAccount:
    return RetellAccount(tenant_id=uuid4(), listener=listener, generation=uuid4())


def test_a_short_fact_travels_as_json() -> None:
    command = a_command("indexer")
    assert pack(encode(command)) == encode(command)


def test_a_long_fact_travels_packed_and_is_read_like_any_other() -> None:
    command = a_command("indexer " * 10_000)
    packed = pack(encode(command))
    assert len(packed) * 5 < len(encode(command))
    assert decode(packed, RetellAccount) == command


def test_what_cannot_be_unpacked_cannot_be_read() -> None:
    packed = pack(encode(a_command("indexer " * 10_000)))
    bomb = zstandard.ZstdCompressor().compress(b" " * (MAX_BYTES + 1))
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(b"{}")
    for data in (packed[:-9], packed[:4], bomb, unsized):
        with pytest.raises(msgspec.DecodeError):
            decode(data, RetellAccount)
