from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshc_runtime import header_kind, message
from meshc_runtime.http1_body import LAST_CHUNK, ChunkedBody, LengthBody, body_decoder, encode_chunk
from meshc_runtime.http1_head import (
    CHUNKED,
    MAX_HEAD_BYTES,
    UNTIL_CLOSE,
    HttpError,
    RequestHead,
    check_host,
    find_head_end,
    parse_request_head,
    parse_response_head,
)


def request(*lines: str, line: str = "GET /a?b=1 HTTP/1.1") -> RequestHead:
    return parse_request_head("".join(f"{text}\r\n" for text in (line, *lines, "")).encode("latin-1"))


def test_plain_request() -> None:
    head = request("Host: api:8080", "Accept:  */* ", "X-A: 1")
    assert (head.method, head.path, head.query, head.host) == ("GET", "/a", "?b=1", "api:8080")
    assert head.lines == [b"Accept:  */* ", b"X-A: 1"]
    assert head.headers() == {"host": [b"api:8080"], "accept": [b"*/*"], "x-a": [b"1"]}
    assert (head.length, head.keep_alive, head.upgrade) == (0, True, None)


def test_hop_by_hop_and_nominated_headers_end_here() -> None:
    head = request(
        "Host: a",
        "Connection: keep-alive, X-Foo",
        "x-foo: 1",
        "Keep-Alive: 5",
        "TE: trailers",
        "Proxy-Connection: x",
        "Trailer: y",
        "Upgrade: h2c",
        "HTTP2-Settings: x",
        "X-Bar: 2",
    )
    assert head.lines == [b"X-Bar: 2"]
    assert not head.upgrade


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-Client-Cert",
        "x-forwarded-client-cert",
        "X-FORWARDED-CLIENT-CERT",
    ],
)
def test_claimed_identity_is_dropped_in_every_spelling(name: str) -> None:
    assert request("Host: a", f"{name}: URI=spiffe://evil").lines == []


@pytest.mark.parametrize("name", ["x_forwarded_client_cert", "X-Forwarded_Client-Cert", "content_length"])
def test_headers_that_applications_could_take_for_those_of_proxies_are_refused(name: str) -> None:
    with pytest.raises(HttpError, match="underscores") as refused:
        request("Host: a", f"{name}: 1")
    assert refused.value.status == 400


def test_absolute_form_that_equals_the_host() -> None:
    head = request("Host: API:80", line="GET http://api:80/x?y HTTP/1.1")
    assert (head.path, head.query) == ("/x", "?y")
    assert request("Host: api", line="GET http://api HTTP/1.1").path == "/"
    assert request("Host: api", line="GET http://api?q HTTP/1.1").query == "?q"


@pytest.mark.parametrize(
    ("status", "line", "lines"),
    [
        (400, "GET /a HTTP/1.1", []),
        (400, "GET /a HTTP/1.1", ["Host: a", "Host: a"]),
        (400, "GET /a HTTP/1.1", ["Host:"]),
        (400, "GET /a HTTP/1.1", ["Host: a b"]),
        (400, "GET /a HTTP/1.1", ["Host: a@b"]),
        (400, "GET /a HTTP/1.1", ["Host: a/b"]),
        (400, "GET /a HTTP/1.1", ["Host: a:99999"]),
        (400, "GET /a HTTP/1.1", ["Host: a:"]),
        (400, "POST /a HTTP/1.1", ["Host: a", "Content-Length: 1", "Content-Length: 1"]),
        (400, "POST /a HTTP/1.1", ["Host: a", "Content-Length: 1, 1"]),
        (400, "POST /a HTTP/1.1", ["Host: a", "Content-Length: +1"]),
        (400, "POST /a HTTP/1.1", ["Host: a", "Content-Length: -1"]),
        (400, "POST /a HTTP/1.1", ["Host: a", "Content-Length: 0x1"]),
        (400, "POST /a HTTP/1.1", ["Host: a", "Content-Length: 1 1"]),
        (400, "POST /a HTTP/1.1", ["Host: a", "Content-Length:"]),
        (400, "POST /a HTTP/1.1", ["Host: a", "Content-Length: " + "9" * 16]),
        (400, "POST /a HTTP/1.1", ["Host: a", "Content-Length: 1", "Transfer-Encoding: chunked"]),
        (400, "POST /a HTTP/1.1", ["Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]),
        (400, "POST /a HTTP/1.1", ["Host: a", "Transfer-Encoding: gzip, chunked"]),
        (400, "POST /a HTTP/1.1", ["Host: a", "Transfer-Encoding: chunked, identity"]),
        (400, "POST /a HTTP/1.1", ["Host: a", "Transfer-Encoding: xchunked"]),
        (400, "POST /a HTTP/1.1", ["Host: a", "Transfer-Encoding: \x0bchunked"]),
        (400, "POST /a HTTP/1.1", ["Host: a", "Transfer_Encoding: chunked"]),
        (400, "POST /a HTTP/1.1", ["Host: a", "Content_Length: 3"]),
        (400, "GET /a HTTP/1.1", ["Host: a", "X : 1"]),
        (400, "GET /a HTTP/1.1", ["Host: a", "X", "Y: 1"]),
        (400, "GET /a HTTP/1.1", ["Host: a", ": 1"]),
        (400, "GET /a HTTP/1.1", ["Host: a", "X: 1", " folded"]),
        (400, "GET /a HTTP/1.1", [" X: 1", "Host: a"]),
        (400, "GET /a HTTP/1.1", ["Host: a", "X: a\x00b"]),
        (400, "GET /a HTTP/1.1", ["Host: a", "X: a\x01b"]),
        (400, "GET /a HTTP/1.1", ["Host: a", "X: a\x7fb"]),
        (400, "GET /a HTTP/1.1", ["Host: a", "X: a\rb"]),
        (400, "GET /a HTTP/1.1", ["Host: a", "X: a\nb"]),
        (400, "GET /a HTTP/1.1", ["Host: a", "X\xe9: 1"]),
        (400, "GET /a HTTP/1.1", ["Host: a", "Connection: Host"]),
        (400, "GET /a HTTP/1.1", ["Host: a", "Connection: close, Content-Length"]),
        (400, "GET /a HTTP/1.1", ["Host: a", "Connection: x-forwarded-client-cert"]),
        (400, "GET  /a HTTP/1.1", ["Host: a"]),
        (400, "GET /a  HTTP/1.1", ["Host: a"]),
        (400, "GET\t/a HTTP/1.1", ["Host: a"]),
        (400, " GET /a HTTP/1.1", ["Host: a"]),
        (400, "GET /a b HTTP/1.1", ["Host: a"]),
        (400, "GET /a#b HTTP/1.1", ["Host: a"]),
        (400, "GET /a?b#c HTTP/1.1", ["Host: a"]),
        (400, "GET /\xe9 HTTP/1.1", ["Host: a"]),
        (400, "GET a HTTP/1.1", ["Host: a"]),
        (400, "GET * HTTP/1.1", ["Host: a"]),
        (400, "GET HTTP/1.1", ["Host: a"]),
        (400, "GET /a", ["Host: a"]),
        (400, "GET /a HTTP/1.1 ", ["Host: a"]),
        (400, "GET /a HTTP/1.", ["Host: a"]),
        (400, "GET /a http/1.1", ["Host: a"]),
        (400, "GET /a HTTP/01.1", ["Host: a"]),
        (400, "get /a HTTP/1.1", ["Host: a"]),
        (400, "G@T /a HTTP/1.1", ["Host: a"]),
        (400, "BREW /a HTTP/1.1", ["Host: a"]),
        (400, "GET http://b/a HTTP/1.1", ["Host: a"]),
        (400, "GET http://a:80/a HTTP/1.1", ["Host: a"]),
        (400, "GET http://u@a/a HTTP/1.1", ["Host: u@a"]),
        (400, "GET https://a/a HTTP/1.1", ["Host: a"]),
        (400, "GET //b/a\\..\\x#y HTTP/1.1", ["Host: a"]),
        (405, "CONNECT a:80 HTTP/1.1", ["Host: a:80"]),
        (417, "POST /a HTTP/1.1", ["Host: a", "Expect: 200-maybe"]),
        (426, "GET /a HTTP/1.0", ["Host: a"]),
        (505, "GET /a HTTP/1.2", ["Host: a"]),
        (505, "GET /a HTTP/2.0", ["Host: a"]),
        (431, "GET /a HTTP/1.1", ["Host: a", *(f"X{n}: 1" for n in range(100))]),
    ],
)
def test_refused_head(status: int, line: str, lines: list[str]) -> None:
    with pytest.raises(HttpError) as refusal:
        request(*lines, line=line)
    assert refusal.value.status == status


def test_head_arrives_in_pieces() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    for cut in range(len(head)):
        assert find_head_end(head[:cut], max(0, cut - 1)) == -1
    assert find_head_end(head + b"GET", len(head) - 1) == len(head)


@pytest.mark.parametrize(
    "broken", [b"GET / HTTP/1.1\nHost: a\n\n", b"GET / HTTP/1.1\r\nHost: a\n", b"GET /\r", b"GET /\rx", b"G\x00"]
)
def test_broken_line_end_is_refused_before_the_head_is_whole(broken: bytes) -> None:
    if broken.endswith(b"\r"):
        assert find_head_end(broken, 0) == -1
        return
    with pytest.raises(HttpError):
        find_head_end(broken, 0)


def test_oversize_head_is_refused_whole_or_not() -> None:
    line = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * MAX_HEAD_BYTES
    for given_bytes in (line, line + b"\r\n\r\n"):
        with pytest.raises(HttpError) as refusal:
            find_head_end(given_bytes, 0)
        assert refusal.value.status == 431


@pytest.mark.parametrize(
    ("method", "head", "length", "declared", "keep_alive"),
    [
        ("GET", "HTTP/1.1 200 OK|Content-Length: 5", 5, 5, True),
        ("GET", "HTTP/1.1 200 |Content-Length: 0", 0, 0, True),
        ("GET", "HTTP/1.1 200|Content-Length: 0", 0, 0, True),
        ("GET", "HTTP/1.1 200 OK|Transfer-Encoding: Chunked", CHUNKED, None, True),
        ("GET", "HTTP/1.1 200 OK", UNTIL_CLOSE, None, False),
        ("HEAD", "HTTP/1.1 200 OK|Content-Length: 5", 0, 5, True),
        ("HEAD", "HTTP/1.1 200 OK|Transfer-Encoding: chunked", 0, None, True),
        ("GET", "HTTP/1.1 304 Not Modified|Content-Length: 5", 0, 5, True),
        ("GET", "HTTP/1.1 204 No Content", 0, None, True),
        ("GET", "HTTP/1.1 204 No Content|Content-Length: 0", 0, None, True),
        # Framing of a body that there must not be: should it come after all, it is nobody's next answer.
        ("GET", "HTTP/1.1 204 No Content|Content-Length: 5", 0, None, False),
        ("GET", "HTTP/1.1 204 No Content|Transfer-Encoding: chunked", 0, None, False),
        ("GET", "HTTP/1.1 200 OK|Content-Length: 5|Connection: close", 5, 5, False),
        ("GET", "HTTP/1.0 200 OK|Content-Length: 5", 5, 5, False),
        ("GET", "HTTP/1.0 200 OK|Content-Length: 5|Connection: keep-alive", 5, 5, True),
    ],
)
def test_response_framing(method: str, head: str, length: int, declared: int | None, keep_alive: bool) -> None:
    parsed = parse_response_head((head.replace("|", "\r\n") + "\r\n\r\n").encode(), method)
    assert (parsed.length, parsed.declared_length, parsed.keep_alive) == (length, declared, keep_alive)


@pytest.mark.parametrize(
    "head",
    [
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/2.0 200 OK",
        "HTTP/1.1  200 OK",
        "200 OK",
        "HTTP/1.1 600 X",
        "HTTP/1.1 200 OK|Content-Length: 5|Content-Length: 5",
        "HTTP/1.1 200 OK|Content-Length: 5|Transfer-Encoding: chunked",
        "HTTP/1.1 200 OK|Content-Length: x",
        "HTTP/1.1 200 OK|Transfer-Encoding: gzip",
        "HTTP/1.0 200 OK|Transfer-Encoding: chunked",
        "HTTP/1.1 200 OK|X : 1",
        "HTTP/1.1 200 OK|X: 1| folded",
        "HTTP/1.1 200 OK|X: \x00",
        "HTTP/1.1 200 OK|X",
    ],
)
def test_refused_response(head: str) -> None:
    with pytest.raises(HttpError) as refusal:
        parse_response_head((head.replace("|", "\r\n") + "\r\n\r\n").encode("latin-1"), "GET")
    assert refusal.value.status == 502


def feed_in_pieces(decoder: ChunkedBody | LengthBody, data: bytes, cuts: list[int]) -> tuple[bytes, bytes]:
    payload, rest = b"", b""
    bounds = sorted({min(cut, len(data)) for cut in cuts})
    for start, end in zip([0, *bounds], [*bounds, len(data)], strict=True):
        if decoder.done:
            rest += data[start:end]
            continue
        piece, left = decoder.feed(data[start:end])
        payload += piece
        rest += left
    return payload, rest


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    st.lists(st.integers(0, 300), max_size=8),
    st.binary(max_size=5),
)
def test_chunked_codec_returns_what_went_in_however_it_is_cut(
    chunks: list[bytes], cuts: list[int], rest: bytes
) -> None:
    data = b"".join(map(encode_chunk, chunks)) + LAST_CHUNK + rest
    decoder = ChunkedBody()
    assert feed_in_pieces(decoder, data, cuts) == (b"".join(chunks), rest)
    assert decoder.done


@given(st.binary(max_size=60), st.integers(0, 60), st.lists(st.integers(0, 60), max_size=5))
def test_counted_body_takes_its_bytes_and_no_more(data: bytes, length: int, cuts: list[int]) -> None:
    decoder = LengthBody(length)
    assert feed_in_pieces(decoder, data, cuts) == (data[:length], data[length:])
    assert decoder.done == (len(data) >= length)


@given(st.binary(max_size=80), st.lists(st.integers(0, 80), max_size=6))
def test_the_verdict_on_chunks_does_not_depend_on_packets(data: bytes, cuts: list[int]) -> None:
    def verdict(pieces: list[int]) -> object:
        decoder = ChunkedBody()
        try:
            return (*feed_in_pieces(decoder, b"3\r\n" + data, pieces), decoder.done)
        except HttpError:
            return "refused"

    assert verdict(cuts) == verdict([])


@pytest.mark.parametrize(
    "data",
    [
        b"0x2\r\nab\r\n",
        b"-1\r\n",
        b"+1\r\na\r\n",
        b"\r\n",
        b" 1\r\na\r\n",
        b"1 \r\na\r\n",
        b"g\r\n",
        b"1\na\n",
        b"1\r\nab\r\n",
        b"1\r\na0\r\n",
        b"1\r\na\n0\r\n",
        b"1" * 16 + b"\r\n",
        b"1;" + b"x" * 300 + b"\r\na",
        b"1;a=\x00\r\n",
        b"1;a\nb\r\n",
        b"1\rx",
        b'1;a="b\r\n',
        b"1;;\r\n",
        b"1_0\r\n",
        b"0\r\nx : 1\r\n\r\n",
        b"0\r\nx\r\n\r\n",
        b"0\r\nx: \x00\r\n\r\n",
        b"0\r\n" + b"x: " + b"y" * 9000 + b"\r\n\r\n",
    ],
)
def test_refused_chunks(data: bytes) -> None:
    with pytest.raises(HttpError):
        body_decoder(CHUNKED).feed(data)


def test_extensions_and_trailers_are_dropped() -> None:
    decoder = ChunkedBody()
    assert decoder.feed(b'A;x;y=z;q="a;b" \r\n'.replace(b" \r", b"\r") + b"0123456789\r\n000\r\nx: 1\r\n\r\nGET") == (
        b"0123456789",
        b"GET",
    )


def test_extensions_have_a_limit_over_the_whole_body() -> None:
    decoder = ChunkedBody()
    data = (b"1;" + b"x" * 240 + b"\r\na\r\n") * 100
    with pytest.raises(HttpError):
        decoder.feed(data)


@given(st.text(alphabet="GETPOS /:.\r\n\tHhost1axXcontent-Length0,;", max_size=60))
def test_any_bytes_give_a_head_or_a_refusal(text: str) -> None:
    data = text.encode() + b"\r\n\r\n"
    try:
        head = parse_request_head(data[: data.index(b"\r\n\r\n") + 4])
    except HttpError:
        return
    assert re.fullmatch(r"/[!-~]*", head.path)


def test_what_is_remembered_of_heads_is_bounded_in_bytes_too() -> None:
    """Names and hosts as long as a head may be must not stay in memory by the thousand."""
    before = message._remembered_host.cache_info().currsize
    for number in range(50):
        name, host = f"X-{number}-" + "n" * 5_000, f"{number}." + "h" * 5_000
        assert request(f"Host: {host}", f"{name}: 1").headers()[name.lower()] == [b"1"]
        assert check_host(host) == (host, None)
    assert max(map(len, header_kind._KNOWN)) <= 64
    assert message._remembered_host.cache_info().currsize == before
