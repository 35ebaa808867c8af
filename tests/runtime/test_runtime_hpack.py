"""Header compression against the `hpack` library: what either writes, the other reads the same."""

from __future__ import annotations

import hpack
import pytest
from hpack.exceptions import HPACKError
from hypothesis import given
from hypothesis import strategies as st

from meshc_runtime.hpack import Field, HpackDecoder, HpackEncoder, HpackError, NeverIndexed
from meshc_runtime.huffman import HuffmanError, huffman_decode

NAMES = st.sampled_from(
    [b":method", b":path", b":status", b"accept", b"x-a", b"x-request-id", b"authorization", b"set-cookie", b""]
) | st.binary(max_size=20)
VALUES = st.sampled_from([b"GET", b"/", b"200", b"", b"v" * 300]) | st.binary(max_size=40)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=12)
BIG = 1 << 20


def plain(fields: object) -> list[Field]:
    return [(bytes(name), bytes(value)) for name, value in fields]  # type: ignore[attr-defined]


@given(st.lists(st.tuples(FIELDS, st.booleans(), st.none() | st.sampled_from([0, 64, 200, 4096])), max_size=12))
def test_what_the_library_writes_is_read(blocks: list[tuple[list[Field], bool, int | None]]) -> None:
    encoder = hpack.Encoder()
    decoder = HpackDecoder(BIG)
    for fields, huffman, size in blocks:
        if size is not None:
            encoder.header_table_size = size
        block = encoder.encode(fields, huffman=huffman)
        assert plain(decoder.decode(block).fields) == fields


@given(st.lists(st.tuples(FIELDS, FIELDS, st.none() | st.sampled_from([0, 64, 200, 4096, 9000])), max_size=12))
def test_what_is_written_the_library_reads(blocks: list[tuple[list[Field], list[Field], int | None]]) -> None:
    encoder = HpackEncoder()
    decoder = hpack.Decoder(max_header_list_size=BIG)
    for fields, tail, size in blocks:
        if size is not None:
            encoder.limit_table(size)
            decoder.max_allowed_table_size = size
        for _ in range(2):  # the second comes from what is remembered
            block = encoder.encode(tuple(fields), tuple(tail))
            assert plain(decoder.decode(block, raw=True)) == [*fields, *tail]


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4))
def test_any_bytes_are_read_alike_or_refused(blocks: list[bytes]) -> None:
    ours, theirs = HpackDecoder(BIG), hpack.Decoder(max_header_list_size=BIG)
    for block in blocks:
        try:
            found = plain(ours.decode(block).fields)
        except HpackError:
            return
        try:
            assert plain(theirs.decode(block, raw=True)) == found
        except HPACKError:
            pytest.fail("ours is the more lenient")


@given(st.binary(max_size=50))
def test_huffman_strings(text: bytes) -> None:
    coded = hpack.huffman.HuffmanEncoder(
        hpack.huffman_constants.REQUEST_CODES, hpack.huffman_constants.REQUEST_CODES_LENGTH
    ).encode(text)
    assert huffman_decode(coded) == text
    if coded:
        with pytest.raises(HuffmanError):
            huffman_decode(coded + b"\xff")  # eight bits of padding


def test_a_block_that_comes_again_is_the_same_object() -> None:
    encoder, decoder = hpack.Encoder(), HpackDecoder(BIG)
    fields = [(b":method", b"GET"), (b"x-a", b"1")]
    decoder.decode(encoder.encode(fields))
    again = encoder.encode(fields)
    assert decoder.decode(again) is decoder.decode(again)
    other = encoder.encode([(b"x-b", b"2")])  # moves what the indexes mean
    assert decoder.decode(other).fields == ((b"x-b", b"2"),)
    assert plain(decoder.decode(encoder.encode(fields)).fields) == fields


def test_what_must_not_be_indexed_stays_so_on_the_next_hop() -> None:
    encoder, decoder = hpack.Encoder(), HpackDecoder(BIG)
    read = decoder.decode(encoder.encode([hpack.NeverIndexedHeaderTuple(b"x-token", b"1")])).fields
    ours = HpackEncoder()
    for _ in range(3):
        for fields in (read, ((b"authorization", b"Basic x"),)):
            (found,) = hpack.Decoder().decode(ours.encode(fields), raw=True)
            assert not found.indexable
    ours.encode(((b"x-token", b"1"),))
    (found,) = hpack.Decoder().decode(ours.encode((NeverIndexed((b"x-token", b"1")),)), raw=True)
    assert not found.indexable


def test_a_list_beyond_the_limit_is_cut_and_said_to_be() -> None:
    encoder, decoder = hpack.Encoder(), HpackDecoder(max_list_bytes=5000)
    first = decoder.decode(encoder.encode([(b"x", b"v" * 1000)]))
    assert not first.oversized
    bomb = decoder.decode(bytes([0x80 | 62]) * 60_000)
    assert bomb.oversized
    assert len(bomb.fields) == 4


def test_values_that_never_come_twice_stop_being_remembered() -> None:
    encoder = HpackEncoder()
    steady = ((b":method", b"GET"), (b"user-agent", b"tester"))
    encoder.encode(steady)
    sizes = [len(encoder.encode(steady, ((b"x-each", b"%d" % number),))) for number in range(40)]
    assert sizes[-1] == sizes[-2]
    before = encoder.encode(steady)
    encoder.encode(steady, ((b"x-each", b"another"),))
    assert encoder.encode(steady) is before


@pytest.mark.parametrize(
    "block",
    [
        b"\x80",  # the index 0
        b"\xbe",  # beyond the table
        b"\xff\xff\xff\xff\xff\xff\x7f",  # a number without end
        b"\x40\x05ab",  # a string beyond the block
        b"\x82\x20",  # a size after a field
        b"\x3f\xe2\x1f",  # a table of 4097 bytes
        b"\x00\x81\x00\x00",  # padding of zeros
        b"\x00\x84\xff\xff\xff\xff\x00",  # the end mark
        b"\x40",
    ],
)
def test_malformed_blocks_are_refused(block: bytes) -> None:
    with pytest.raises(HpackError):
        HpackDecoder(BIG).decode(block)
