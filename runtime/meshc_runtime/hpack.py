"""Header compression of HTTP/2 (RFC 7541): one decoder and one encoder a connection, each with its dynamic table.

Header blocks repeat: a block that did not change the table is decoded once, and gives the same object again, so that
whatever was worked out about it (validation, the request in it) is found on it. The encoder remembers blocks likewise.
Nothing here knows what headers mean, but which of them differ from message to message or must not be remembered.
"""

from __future__ import annotations

from collections import deque

from meshc_runtime.huffman import HuffmanError, huffman_decode

Field = tuple[bytes, bytes]
"""A header's name, in lower case, and its value."""

DEFAULT_TABLE_BYTES = 4096
_ENTRY_OVERHEAD = 32  # section 4.1
_MAX_INTEGER_BYTES = 5
_CACHED_BLOCK_BYTES = 1024
_CACHED_BLOCKS = 64
_TRIES_BEFORE_GIVING_UP = 16
_MAX_COUNTED_NAMES = 256

STATIC_TABLE: tuple[Field, ...] = (
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
)
"""Appendix A; the first entry has the index 1."""

_STATIC_COUNT = len(STATIC_TABLE)
_STATIC_FIELDS = {field: index for index, field in reversed(list(enumerate(STATIC_TABLE, 1)))}
_STATIC_NAMES = {field[0]: index for index, field in reversed(list(enumerate(STATIC_TABLE, 1)))}

_EACH_ITS_OWN = frozenset(
    {
        b":path",
        b"content-length",
        b"date",
        b"etag",
        b"grpc-timeout",
        b"if-modified-since",
        b"if-none-match",
        b"last-modified",
        b"location",
        b"traceparent",
        b"x-b3-spanid",
        b"x-b3-traceid",
        b"x-request-id",
    }
)
"""Headers that are another in each message: remembering them would only push out what is of use."""

_SECRET = frozenset({b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"})
"""Headers that no table may hold, so that nobody can guess them by the size of what is sent (section 7.1)."""


class HpackError(Exception):
    """A header block that breaks the compression, and with it the connection."""


class NeverIndexed(tuple[bytes, bytes]):
    """A field that its sender wants in no table on any hop (section 6.2.3); never equal to the plain field."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is NeverIndexed and tuple.__eq__(self, other)

    __hash__ = tuple.__hash__


class HeaderBlock:
    """The fields of one block in order. `known` is for what readers find out about it.

    `oversized` if the fields together are larger than the decoder's limit: then those beyond it are left out.
    """

    __slots__ = ("fields", "known", "oversized")

    def __init__(self, fields: tuple[Field, ...], *, oversized: bool = False) -> None:
        self.fields = fields
        self.oversized = oversized
        self.known: object = None


class HpackDecoder:
    """Reads header blocks of one direction of a connection, in order."""

    def __init__(self, max_list_bytes: int, table_bytes: int = DEFAULT_TABLE_BYTES) -> None:
        self._max_list_bytes = max_list_bytes
        self._allowed = table_bytes
        self._max = table_bytes
        self._entries: list[Field] = []  # the newest last
        self._size = 0
        self._blocks: dict[bytes, HeaderBlock] = {}
        self._older_blocks: dict[bytes, HeaderBlock] = {}

    def decode(self, block: bytes) -> HeaderBlock:
        """The fields of a block; the same object for the same block, while the table stays as it is.

        Raises:
            HpackError: the block is malformed; the connection cannot go on.
        """
        found = self._blocks.get(block)
        if found is not None:
            return found
        found = self._older_blocks.get(block)
        if found is None:
            try:
                found, unchanged = self._read(block)
            except (IndexError, HuffmanError) as error:
                raise HpackError(str(error) or "malformed header block") from None
            if not unchanged:
                self._blocks.clear()
                self._older_blocks.clear()
                return found
        if len(block) <= _CACHED_BLOCK_BYTES:
            if len(self._blocks) >= _CACHED_BLOCKS:
                self._older_blocks, self._blocks = self._blocks, {}
            self._blocks[block] = found
        return found

    def _read(self, block: bytes) -> tuple[HeaderBlock, bool]:
        """The block, and whether the table is as it was."""
        at = 0
        end = len(block)
        fields: list[Field] = []
        left = self._max_list_bytes
        unchanged = True
        while at < end:
            first = block[at]
            if first & 0x80:
                index, at = _integer(block, at, 0x7F)
                field = self._field(index)
            elif first & 0xE0 == 0x20:
                if fields:
                    raise HpackError("a table size after the first field")
                size, at = _integer(block, at, 0x1F)
                if size > self._allowed:
                    raise HpackError("a table larger than allowed")
                self._max = size
                self._evict()
                unchanged = False
                continue
            else:
                indexed = first & 0x40
                index, at = _integer(block, at, 0x3F if indexed else 0x0F)
                if index:
                    name = self._field(index)[0]
                else:
                    name, at = _string(block, at)
                value, at = _string(block, at)
                if indexed:
                    field = (name, value)
                    unchanged = False
                    self._insert(field)
                elif first & 0x10:
                    field = NeverIndexed((name, value))
                else:
                    field = (name, value)
            left -= len(field[0]) + len(field[1]) + _ENTRY_OVERHEAD
            if left >= 0:
                fields.append(field)
        return HeaderBlock(tuple(fields), oversized=left < 0), unchanged

    def _field(self, index: int) -> Field:
        if index == 0:
            raise HpackError("the index 0")
        if index <= _STATIC_COUNT:
            return STATIC_TABLE[index - 1]
        place = len(self._entries) - (index - _STATIC_COUNT)
        if place < 0:
            raise HpackError("an index beyond the table")
        return self._entries[place]

    def _insert(self, field: Field) -> None:
        self._entries.append(field)
        self._size += len(field[0]) + len(field[1]) + _ENTRY_OVERHEAD
        self._evict()

    def _evict(self) -> None:
        gone = 0
        while self._size > self._max:
            name, value = self._entries[gone]
            self._size -= len(name) + len(value) + _ENTRY_OVERHEAD
            gone += 1
        if gone:
            del self._entries[:gone]


class HpackEncoder:
    """Writes header blocks of one direction of a connection; they must be sent in the order in which they are made."""

    def __init__(self) -> None:
        self._max = DEFAULT_TABLE_BYTES
        self._told = DEFAULT_TABLE_BYTES
        self._least = DEFAULT_TABLE_BYTES
        self._size = 0
        self._inserted = 0
        self._numbers: dict[Field, int] = {}
        self._order: deque[tuple[Field, int]] = deque()
        self._in_vain: dict[bytes, int] = {}
        self._blocks: dict[tuple[Field, ...], bytes] = {}

    def limit_table(self, size: int) -> None:
        """Keep to the table size of the peer's settings; more than the default is not made use of."""
        self._max = min(size, DEFAULT_TABLE_BYTES)
        self._least = min(self._least, self._max)

    def encode(self, fields: tuple[Field, ...], tail: tuple[Field, ...] = ()) -> bytes:
        """A block of these fields; `fields` may be a tuple that comes again, `tail` is not remembered as a whole."""
        if self._told == self._max == self._least:
            block = self._blocks.get(fields)
            if block is None:
                block = self._encode(fields)
            return block + b"".join([self._one(field) for field in tail]) if tail else block
        sizes = b""
        if self._least < self._max:
            sizes = number(self._least, 0x1F, 0x20)
        sizes += number(self._max, 0x1F, 0x20)
        self._shrink(self._least)
        self._told = self._least = self._max
        self._blocks.clear()
        return sizes + self.encode(fields, tail)

    def _encode(self, fields: tuple[Field, ...]) -> bytes:
        before = self._inserted
        block = b"".join([self._one(field) for field in fields])
        if self._inserted == before and len(block) <= _CACHED_BLOCK_BYTES:
            if len(self._blocks) >= _CACHED_BLOCKS:
                self._blocks.clear()
            self._blocks[fields] = block
        return block

    def _one(self, field: Field) -> bytes:
        index = _STATIC_FIELDS.get(field)
        if index is not None:
            return _INDEXED[index] if index < len(_INDEXED) else number(index, 0x7F, 0x80)
        name, value = field
        place = _STATIC_NAMES.get(name, 0)
        if type(field) is not tuple or name in _SECRET:
            return _literal(0x10, 0x0F, place, name, value)
        inserted = self._numbers.get(field)
        if inserted is not None:
            self._in_vain[name] = 0
            return number(_STATIC_COUNT + self._inserted - inserted, 0x7F, 0x80)
        if name in _EACH_ITS_OWN or not self._worth_keeping(field):
            return _literal(0x00, 0x0F, place, name, value)
        self._insert(field)
        return _literal(0x40, 0x3F, place, name, value)

    def _worth_keeping(self, field: Field) -> bool:
        """Whether to put a field in the table: not if fields of its name never come twice."""
        name, value = field
        if len(name) + len(value) + _ENTRY_OVERHEAD > self._max >> 1:
            return False
        tries = self._in_vain.get(name, 0)
        if tries >= _TRIES_BEFORE_GIVING_UP:
            return False
        if tries or len(self._in_vain) < _MAX_COUNTED_NAMES:
            self._in_vain[name] = tries + 1
        return True

    def _insert(self, field: Field) -> None:
        size = len(field[0]) + len(field[1]) + _ENTRY_OVERHEAD
        self._shrink(self._max - size)
        self._numbers[field] = self._inserted
        self._order.append((field, self._inserted))
        self._inserted += 1
        self._size += size
        self._blocks.clear()

    def _shrink(self, most: int) -> None:
        while self._size > most:
            field, inserted = self._order.popleft()
            self._size -= len(field[0]) + len(field[1]) + _ENTRY_OVERHEAD
            if self._numbers.get(field) == inserted:
                del self._numbers[field]


def number(value: int, most: int, first: int) -> bytes:
    """An integer whose prefix holds up to `most`, with the other bits of its first byte (section 5.1)."""
    if value < most:
        return bytes((first | value,))
    out = bytearray((first | most,))
    value -= most
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_INDEXED = [number(index, 0x7F, 0x80) for index in range(_STATIC_COUNT + 1)]


def _literal(kind: int, most: int, place: int, name: bytes, value: bytes) -> bytes:
    if place:
        return number(place, most, kind) + number(len(value), 0x7F, 0) + value
    return b"".join((bytes((kind,)), number(len(name), 0x7F, 0), name, number(len(value), 0x7F, 0), value))


def _integer(block: bytes, at: int, most: int) -> tuple[int, int]:
    value = block[at] & most
    at += 1
    if value < most:
        return value, at
    for count in range(_MAX_INTEGER_BYTES):
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, at
    raise HpackError("an integer that is too large")


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    coded = block[at] & 0x80
    length, at = _integer(block, at, 0x7F)
    end = at + length
    if end > len(block):
        raise HpackError("a string beyond the end of the block")
    text = block[at:end]
    return (huffman_decode(text) if coded else text), end
