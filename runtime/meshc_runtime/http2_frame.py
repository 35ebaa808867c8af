"""Frames of HTTP/2 (RFC 9113 sections 4 and 6): their numbers, and the writing of each kind."""

from __future__ import annotations

import struct
from enum import IntEnum

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_BYTES = 9
MAX_FRAME_BYTES = 16_384
"""The greatest payload of a frame: the default, of which neither side here announces another."""
DEFAULT_WINDOW = 65_535
MAX_WINDOW = 2**31 - 1

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)

END_STREAM = 0x1
ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITY_FLAG = 0x20

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = (
    range(1, 7)
)

SETTINGS_ACK = b"\x00\x00\x00\x04\x01\x00\x00\x00\x00"

_HEADER = struct.Struct(">HBBBI")
_SETTING = struct.Struct(">HI")
_GOAWAY = struct.Struct(">II")

read_frame_header = _HEADER.unpack_from
"""Length (two upper bytes, lower byte), type, flags and stream of the frame at an offset."""


class ErrorCode(IntEnum):
    """Why a stream or a connection ends (section 7)."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class Http2Error(Exception):
    """A peer that breaks the protocol: the whole connection ends with this code."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class StreamError(Exception):
    """A peer that breaks the protocol on one stream, which ends with this code."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    length = len(payload)
    return _HEADER.pack(length >> 8, length & 0xFF, kind, flags, stream) + payload


def headers_frames(stream: int, block: bytes, *, end_stream: bool) -> bytes:
    """A header block, in as many frames as it takes."""
    end = END_STREAM if end_stream else 0
    if len(block) <= MAX_FRAME_BYTES:
        return frame(HEADERS, END_HEADERS | end, stream, block)
    pieces = [frame(HEADERS, end, stream, block[:MAX_FRAME_BYTES])]
    for at in range(MAX_FRAME_BYTES, len(block), MAX_FRAME_BYTES):
        last = at + MAX_FRAME_BYTES >= len(block)
        pieces.append(frame(CONTINUATION, END_HEADERS if last else 0, stream, block[at : at + MAX_FRAME_BYTES]))
    return b"".join(pieces)


def settings_frame(settings: dict[int, int]) -> bytes:
    """The settings of this side."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(number, value) for number, value in settings.items()))


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """The settings in a frame, in order.

    Raises:
        Http2Error: their length is no multiple of 6.
    """
    if len(payload) % 6:
        raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS of a broken length")
    return list(_SETTING.iter_unpack(payload))


def window_update(stream: int, amount: int) -> bytes:
    """Credit for a stream, or for the connection (0)."""
    return frame(WINDOW_UPDATE, 0, stream, amount.to_bytes(4, "big"))


def reset_frame(stream: int, code: ErrorCode) -> bytes:
    """The end of a stream."""
    return frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))


def goaway_frame(last_stream: int, code: ErrorCode) -> bytes:
    """The end of the connection, for streams beyond the last."""
    return frame(GOAWAY, 0, 0, _GOAWAY.pack(last_stream, code))


def unpadded(payload: bytes, flags: int) -> bytes:
    """The payload of a DATA or HEADERS frame without its padding.

    Raises:
        Http2Error: the padding is longer than the payload.
    """
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise Http2Error(ErrorCode.PROTOCOL_ERROR, "padding longer than its frame")
    return payload[1 : len(payload) - payload[0]]
