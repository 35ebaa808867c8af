"""HTTP/2 without sockets: against the `h2` library, and against peers that break or strain the protocol."""

from __future__ import annotations

import h2.events
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshc_runtime import http2_frame as wire
from meshc_runtime.hpack import HpackEncoder
from meshc_runtime.http2_connection import MAX_STREAMS
from meshc_runtime.http2_frame import ErrorCode, frame, headers_frames, reset_frame, settings_frame, window_update
from support.http2_pair import REQUEST, RESPONSE, OurEnd, Pair

BODIES = st.lists(st.integers(0, 70_000), min_size=1, max_size=5)
TRAILERS = ((b"grpc-status", b"0"),)


@given(BODIES, st.sampled_from([7, 1000, 1 << 20]), st.booleans(), st.integers(0, 255))
def test_what_the_library_sends_arrives(sizes: list[int], slice_bytes: int, trailers: bool, padding: int) -> None:
    pair = Pair(slice_bytes=slice_bytes if sum(sizes) < 5000 else 1 << 20)
    for number, _ in enumerate(sizes):
        pair.theirs.send_headers(2 * number + 1, REQUEST)
    for number, size in enumerate(sizes):
        stream, left = 2 * number + 1, size
        while left:
            room = min(left, pair.theirs.local_flow_control_window(stream) - padding - 1, 16_384 - padding - 1)
            assert room > 0
            pair.theirs.send_data(stream, b"d" * room, pad_length=padding)
            left -= room
            pair.talk()
        if trailers:
            pair.theirs.send_headers(stream, TRAILERS, end_stream=True)
        else:
            pair.theirs.end_stream(stream)
    pair.talk()
    for number, size in enumerate(sizes):
        heard = pair.ours.heard[2 * number + 1]
        assert (len(heard.body), heard.ended, heard.reset) == (size, True, None)
        assert heard.blocks == ([REQUEST, TRAILERS] if trailers else [REQUEST])


@given(BODIES, st.booleans(), st.sampled_from([0, 1, 3000, 65_535, 1_000_000]))
def test_what_is_sent_the_library_gets(sizes: list[int], trailers: bool, window: int) -> None:
    """However small the windows are that the library gives, and whenever it widens them."""
    pair = Pair()
    pair.theirs.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
    for number, _ in enumerate(sizes):
        pair.theirs.send_headers(2 * number + 1, REQUEST, end_stream=True)
    pair.talk()
    connection = pair.ours.connection
    for number, size in enumerate(sizes):
        stream = pair.ours.stream(2 * number + 1)
        connection.send_headers(stream, RESPONSE, end=False)
        connection.send_data(stream, b"d" * size, end=not trailers)
        if trailers:
            connection.send_trailers(stream, TRAILERS)
    pair.talk()
    if window == 0:
        assert not any(pair.bodies().values())
    pair.theirs.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 100_000})
    for _ in range(20):
        pair.talk()
        pair.acknowledge()
    pair.talk()
    got = pair.bodies()
    assert [len(got.get(2 * number + 1, b"")) for number, _ in enumerate(sizes)] == sizes
    assert len(pair.of(h2.events.StreamEnded)) == len(sizes)
    assert len(pair.of(h2.events.TrailersReceived)) == (len(sizes) if trailers else 0)
    assert pair.ours.connection.streams == {}


@given(BODIES)
def test_as_a_client(sizes: list[int]) -> None:
    pair = Pair(client=True)
    connection = pair.ours.connection
    streams = [pair.ours.open() for _ in sizes]
    for stream, size in zip(streams, sizes, strict=True):
        connection.send_headers(stream, REQUEST, end=False)
        connection.send_data(stream, b"u" * size, end=True)
    for _ in range(20):
        pair.talk()
        pair.acknowledge()
    got = pair.bodies()
    assert [len(got.get(stream.id, b"")) for stream in streams] == sizes
    for stream, size in zip(streams, sizes, strict=True):
        pair.theirs.send_headers(stream.id, RESPONSE)
        left = size
        while left:
            room = min(left, pair.theirs.local_flow_control_window(stream.id), 16_384)
            pair.theirs.send_data(stream.id, b"d" * room)
            left -= room
            pair.talk()
        pair.theirs.send_headers(stream.id, TRAILERS, end_stream=True)
        pair.talk()
    for stream, size in zip(streams, sizes, strict=True):
        heard = pair.ours.heard[stream.id]
        assert (heard.blocks, len(heard.body), heard.ended) == ([RESPONSE, TRAILERS], size, True)
    assert connection.streams == {}


def test_a_reader_that_is_slow_holds_the_peer_to_its_window() -> None:
    pair = Pair()
    pair.ours.slow = True
    pair.theirs.send_headers(1, REQUEST)
    while room := min(pair.theirs.local_flow_control_window(1), 16_384):
        pair.theirs.send_data(1, b"d" * room)
        pair.talk()
    heard = pair.ours.heard[1]
    assert len(heard.body) == 65_536
    pair.ours.connection.consumed(pair.ours.stream(1), 65_536)
    pair.talk()
    assert pair.theirs.local_flow_control_window(1) == 65_536


def test_going_away_takes_what_is_on_its_way_and_then_no_more() -> None:
    pair = Pair()
    pair.theirs.send_headers(1, REQUEST, end_stream=True)
    pair.ours.connection.go_away(warn_only=True)
    pair.talk()
    (event,) = pair.of(h2.events.ConnectionTerminated)
    assert isinstance(event, h2.events.ConnectionTerminated)
    assert (event.error_code, event.last_stream_id) == (ErrorCode.NO_ERROR, 2**31 - 1)
    assert 1 in pair.ours.heard
    pair.ours.connection.go_away()
    answer = pair.ours.receive(headers_frames(3, HpackEncoder().encode(REQUEST), end_stream=True))
    assert answer.endswith(reset_frame(3, ErrorCode.REFUSED_STREAM))
    assert 3 not in pair.ours.heard


def test_a_client_fails_what_the_peer_will_not_take() -> None:
    pair = Pair(client=True)
    first, second = pair.ours.open(), pair.ours.open()
    for stream in (first, second):
        pair.ours.connection.send_headers(stream, REQUEST, end=True)
    pair.ours.receive(wire.goaway_frame(first.id, ErrorCode.NO_ERROR))
    assert pair.ours.heard[first.id].reset is None
    assert pair.ours.heard[second.id].reset is not None
    assert not pair.ours.connection.can_open


# A peer that speaks raw frames.


def started(*, client: bool = False) -> OurEnd:
    end = OurEnd(client=client)
    end.connection.take()
    end.receive((b"" if client else wire.PREFACE) + settings_frame({}))
    assert end.broken is None
    return end


def request_frames(stream: int, *, end: bool = True) -> bytes:
    # A block that says everything in literals is the same for each stream.
    return headers_frames(stream, HpackEncoder().encode(REQUEST), end_stream=end)


def one_way(stream: int) -> bytes:
    block = b"\x83\x86\x84\x01\x03api"
    return headers_frames(stream, block, end_stream=True)


GET = b"\x82\x86\x84\x01\x03api"
BREAKS = {
    "no settings first": (False, frame(wire.PING, 0, 0, b"12345678"), "PROTOCOL_ERROR"),
    "frame too large": (True, b"\x00\x40\x01\x00\x00\x00\x00\x00\x01", "FRAME_SIZE_ERROR"),
    "even stream": (True, headers_frames(2, GET, end_stream=True), "PROTOCOL_ERROR"),
    "headers of the connection": (True, headers_frames(0, GET, end_stream=True), "PROTOCOL_ERROR"),
    "older stream": (True, one_way(3) + one_way(1), "STREAM_CLOSED"),
    "data of an idle stream": (True, frame(wire.DATA, 0, 1, b"x"), "PROTOCOL_ERROR"),
    "data of the connection": (True, frame(wire.DATA, 0, 0, b"x"), "PROTOCOL_ERROR"),
    "data after the end": (True, one_way(1) + frame(wire.DATA, 0, 1, b"x"), "STREAM_CLOSED"),
    "headers after the end": (True, one_way(1) + one_way(1), "STREAM_CLOSED"),
    "interrupted block": (True, frame(wire.HEADERS, 1, 1, GET) + frame(wire.PING, 0, 0, b"12345678"), "PROTOCOL_ERROR"),
    "block of another stream": (
        True,
        frame(wire.HEADERS, 1, 1, GET) + frame(wire.CONTINUATION, 4, 3),
        "PROTOCOL_ERROR",
    ),
    "continuation of nothing": (True, frame(wire.CONTINUATION, 4, 1, GET), "PROTOCOL_ERROR"),
    "padding too long": (True, frame(wire.HEADERS, 0xD, 1, b"\xff" + GET), "PROTOCOL_ERROR"),
    "compression": (True, headers_frames(1, b"\xff\xff\xff\xff\xff\xff\x7f", end_stream=True), "COMPRESSION_ERROR"),
    "short ping": (True, frame(wire.PING, 0, 0, b"1234567"), "FRAME_SIZE_ERROR"),
    "ping of a stream": (True, frame(wire.PING, 0, 1, b"12345678"), "PROTOCOL_ERROR"),
    "short settings": (True, frame(wire.SETTINGS, 0, 0, b"12345"), "FRAME_SIZE_ERROR"),
    "settings of a stream": (True, frame(wire.SETTINGS, 0, 1), "PROTOCOL_ERROR"),
    "acknowledgement with payload": (True, frame(wire.SETTINGS, 1, 0, b"123456"), "FRAME_SIZE_ERROR"),
    "window beyond": (True, settings_frame({4: 2**31}), "FLOW_CONTROL_ERROR"),
    "frame size": (True, settings_frame({5: 16_383}), "PROTOCOL_ERROR"),
    "push": (True, settings_frame({2: 2}), "PROTOCOL_ERROR"),
    "promise": (True, frame(wire.PUSH_PROMISE, 4, 1, b"\x00\x00\x00\x02" + GET), "PROTOCOL_ERROR"),
    "nothing for the connection": (True, window_update(0, 0), "PROTOCOL_ERROR"),
    "too much for the connection": (True, window_update(0, 2**31 - 1), "FLOW_CONTROL_ERROR"),
    "window of an idle stream": (True, window_update(5, 1), "PROTOCOL_ERROR"),
    "reset of an idle stream": (True, reset_frame(5, ErrorCode.CANCEL), "PROTOCOL_ERROR"),
    "reset of the connection": (True, reset_frame(0, ErrorCode.CANCEL), "PROTOCOL_ERROR"),
    "short reset": (True, one_way(1) + frame(wire.RST_STREAM, 0, 1, b"123"), "FRAME_SIZE_ERROR"),
    "short goaway": (True, frame(wire.GOAWAY, 0, 0, b"1234"), "FRAME_SIZE_ERROR"),
    "goaway of a stream": (True, frame(wire.GOAWAY, 0, 1, b"12345678"), "PROTOCOL_ERROR"),
    "priority of the connection": (True, frame(wire.PRIORITY, 0, 0, b"12345"), "PROTOCOL_ERROR"),
    "depends on itself": (True, frame(wire.HEADERS, 0x25, 1, b"\x00\x00\x00\x01\x10" + GET), "PROTOCOL_ERROR"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_peer_that_breaks_the_protocol_is_left(name: str) -> None:
    settled, frames, code = BREAKS[name]
    end = OurEnd()
    end.connection.take()
    answer = end.receive(wire.PREFACE + (settings_frame({}) if settled else b"") + frames)
    assert end.broken is not None
    assert end.broken.startswith(code)
    _, _, kind, _, _ = wire.read_frame_header(answer, len(answer) - 17)
    assert kind == wire.GOAWAY
    assert answer[-4:] == ErrorCode[code].to_bytes(4, "big")


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (window_update(1, 0), ErrorCode.PROTOCOL_ERROR),
        (window_update(1, 2**31 - 1), ErrorCode.FLOW_CONTROL_ERROR),
        (frame(wire.PRIORITY, 0, 1, b"1234"), ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_a_stream_that_breaks_the_protocol_is_reset_alone(frames: bytes, code: ErrorCode) -> None:
    end = started()
    answer = end.receive(request_frames(1, end=False) + request_frames(3, end=False) + frames)
    assert answer.endswith(reset_frame(1, code))
    assert end.heard[1].reset is not None
    assert end.heard[3].reset is None
    assert end.broken is None
    end.receive(frame(wire.DATA, 1, 1, b"on its way"))  # sent before the reset came
    assert end.broken is None


def test_what_means_nothing_here_is_ignored() -> None:
    end = started()
    end.receive(frame(0xAB, 0xFF, 1, b"unknown") + frame(wire.PRIORITY, 0, 7, b"\x00\x00\x00\x01\x10"))
    end.receive(frame(wire.HEADERS, 0x2D, 1, b"\x03\x00\x00\x00\x03\x10" + GET + b"\0\0\0"))
    end.receive(settings_frame({0xAB: 1}))
    assert end.broken is None
    assert end.heard[1].ended


def test_more_streams_than_announced_are_refused_and_the_compression_stays_in_step() -> None:
    end = started()
    encoder = HpackEncoder()
    for number in range(MAX_STREAMS):
        end.receive(headers_frames(2 * number + 1, encoder.encode(REQUEST), end_stream=True))
    extra = (*REQUEST, (b"x-new", b"entry"))
    answer = end.receive(headers_frames(201, encoder.encode(extra), end_stream=True))
    assert answer.endswith(reset_frame(201, ErrorCode.REFUSED_STREAM))
    end.connection.send_headers(end.stream(1), RESPONSE, end=True)
    end.receive(headers_frames(203, encoder.encode(extra), end_stream=True))
    assert end.heard[203].blocks == [extra]


FLOODS = {
    "pings": lambda n: frame(wire.PING, 0, 0, b"12345678"),
    "settings": lambda n: settings_frame({4: 65_535 + n % 2}),
    "acknowledgements": lambda n: wire.SETTINGS_ACK,
    "priorities": lambda n: frame(wire.PRIORITY, 0, 2 * n + 3, b"\x00\x00\x00\x01\x10"),
    "unknown frames": lambda n: frame(0xAB, 0, 0, b""),
    "windows of a stream": lambda n: window_update(1, 1),
    "windows of the connection": lambda n: window_update(0, 1),
    "empty data": lambda n: frame(wire.DATA, 0, 1, b""),
    "rapid resets": lambda n: one_way(2 * n + 3) + reset_frame(2 * n + 3, ErrorCode.CANCEL),
    "resets of ours": lambda n: headers_frames(2 * n + 3, GET, end_stream=False) + window_update(2 * n + 3, 0),
    "padding alone": lambda n: frame(wire.DATA, 8, 1, b"\x05\0\0\0\0\0"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_floods_end_the_connection(name: str) -> None:
    end = started()
    end.receive(request_frames(1, end=False))
    for number in range(3000):
        end.receive(FLOODS[name](number))
        if end.broken is not None:
            break
    assert end.broken is not None
    assert end.broken.startswith("ENHANCE_YOUR_CALM")


def test_a_header_block_has_an_end() -> None:
    for piece in (b"", b"x" * 16_384):
        end = started()
        end.receive(frame(wire.HEADERS, 1, 1, GET))
        for _ in range(20):
            end.receive(frame(wire.CONTINUATION, 0, 1, piece))
        assert end.broken is not None
        assert end.broken.startswith("ENHANCE_YOUR_CALM")


def test_time_and_ordinary_traffic_make_good_for_what_was_asked() -> None:
    end = started()
    for number in range(1000):
        if number % 100 == 0:
            end.clock.now += 10
        end.receive(one_way(2 * number + 1) + reset_frame(2 * number + 1, ErrorCode.CANCEL))
    assert end.broken is None
    end = started()
    for number in range(3000):
        end.receive(one_way(2 * number + 1) + frame(wire.PING, 0, 0, b"12345678"))
        end.connection.send_headers(end.stream(2 * number + 1), RESPONSE, end=True)
    assert end.broken is None


def test_dribbled_windows_are_not_answered_for_ever() -> None:
    """A peer that widens its window byte by byte gets a frame for each byte, but not without end."""
    end = started()
    end.receive(settings_frame({4: 0}) + request_frames(1))
    end.connection.send_headers(end.stream(1), RESPONSE, end=False)
    end.connection.send_data(end.stream(1), b"d" * 60_000, end=True)
    for _ in range(5000):
        end.receive(window_update(1, 1))
        if end.broken:
            break
    assert end.broken is not None


def test_while_the_socket_is_full_bodies_wait_and_heads_do_not() -> None:
    end = started()
    end.receive(request_frames(1))
    end.connection.full = True
    end.connection.send_headers(end.stream(1), RESPONSE, end=False)
    assert end.connection.take()
    assert not end.connection.send_data(end.stream(1), b"d" * 100, end=False)
    assert end.connection.take() == b""
    end.connection.full = False
    end.connection.pump()
    assert end.connection.take() == frame(wire.DATA, 0, 1, b"d" * 100)
    assert end.heard[1].writable == 1


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 255), st.integers(0, 5), st.binary(max_size=40))))
def test_no_frames_make_it_stumble(frames: list[tuple[int, int, int, bytes]]) -> None:
    end = started()
    for kind, flags, stream, payload in frames:
        end.receive(frame(kind, flags, stream, payload))
        if end.broken:
            return
