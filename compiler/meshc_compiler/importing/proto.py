"""The services and rpcs of a `.proto` file: proto2, proto3 and editions.

Only `package`, `service` and `rpc` matter to a policy, so this reads them exactly and steps over messages, enums,
extensions and options by their braces. The parsers of the whole language that are on PyPI (`proto-schema-parser` is
the well-kept one) give no positions, so that no finding could point into the file, and bring ANTLR's runtime along.
Source: Protocol Buffers language specification, proto2, proto3 and edition 2023.
"""

from __future__ import annotations

import re

from meshc_compiler.finding import Findings
from meshc_compiler.importing.fact import Rpc, RpcService
from meshc_lang.codes import names
from meshc_lang.diagnostic import Label
from meshc_lang.pattern import pattern
from meshc_lang.record import dataclass
from meshc_lang.source import SourceText, Span

_TOKEN = pattern(
    r"""(?P<space>[ \t\r\n\f\v]+|//[^\n]*|/\*.*?\*/)
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>[0-9][A-Za-z0-9_.]*)
      | (?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_CLOSERS = {"{": "}", "(": ")", "[": "]"}
_STEPPED_OVER = frozenset({"message", "enum", "extend"})
_END = ""


class _MalformedError(Exception):
    """Stops the reading at the first mistake: what follows it could be misread."""

    def __init__(self, message: str, span: Span, *related: Label) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.related = related


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def read_proto(source: SourceText, findings: Findings) -> tuple[RpcService, ...] | None:
    """Return the services of a `.proto` by name; None, with a finding that points into it, where it is malformed."""
    try:
        return _ProtoReader(source).services()
    except _MalformedError as problem:
        message = f"`{source.path}` is not a well-formed `.proto` file: {problem.message}"
        findings.add(names.MALFORMED_IMPORT, message, problem.span, related=problem.related)
        return None


class _ProtoReader:
    """Reads the statements of one file, one token ahead."""

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._tokens = _tokens(source)
        self._at = 0
        self._package: tuple[str, Span] | None = None

    def services(self) -> tuple[RpcService, ...]:
        found: list[tuple[str, Span, tuple[Rpc, ...]]] = []
        while (token := self._next()).text != _END:
            if token.kind == "word" and token.text in ("export", "local") and self._peek().kind == "word":
                # Edition 2024: the visibility of a message or enum.
                token = self._next()
            match token.text:
                case ";":
                    pass
                case "syntax" | "edition" | "import" | "option":
                    self._skip_statement(token)
                case "package":
                    self._read_package(token)
                case "service":
                    found.append(self._read_service())
                case word if word in _STEPPED_OVER:
                    self._skip_declaration(token)
                case _:
                    raise _MalformedError(f"no statement begins with `{_shown(token)}`", self._span(token))
        prefix = f"{self._package[0]}." if self._package else ""
        services: dict[str, RpcService] = {}
        for name, span, rpcs in found:
            if name in services:
                first = Label(services[name].span, "first declared here")
                raise _MalformedError(f"the service `{name}` is declared twice", span, first)
            services[name] = RpcService(name=prefix + name, rpcs=rpcs, span=span)
        return tuple(sorted(services.values(), key=lambda service: service.name))

    # ---- statements

    def _read_package(self, keyword: _Token) -> None:
        name = self._full_name("the package")
        end = self._expect(";", "a `package` statement ends with `;`")
        span = self._source.span(keyword.start, end.end)
        if self._package is not None:
            raise _MalformedError("there is a second `package`", span, Label(self._package[1], "the first is here"))
        self._package = (name, span)

    def _read_service(self) -> tuple[str, Span, tuple[Rpc, ...]]:
        name = self._word("a service")
        opener = self._expect("{", f"the service `{name.text}` has a block")
        rpcs: dict[str, Rpc] = {}
        while (token := self._next()).text != "}":
            match token.text:
                case ";":
                    pass
                case "option" | "stream":
                    # `stream` is a relic of proto2 that protoc still reads.
                    self._skip_statement(token)
                case "rpc":
                    rpc = self._read_rpc()
                    if rpc.name in rpcs:
                        first = Label(rpcs[rpc.name].span, "first declared here")
                        raise _MalformedError(f"the rpc `{rpc.name}` is declared twice", rpc.span, first)
                    rpcs[rpc.name] = rpc
                case word if word == _END:
                    raise _MalformedError(f"the service `{name.text}` is never closed", self._span(opener))
                case _:
                    message = f"a service holds `rpc` and `option`, not `{_shown(token)}`"
                    raise _MalformedError(message, self._span(token))
        return name.text, self._span(name), tuple(rpcs.values())

    def _read_rpc(self) -> Rpc:
        name = self._word("an rpc")
        self._read_type(f"the request of `{name.text}`")
        keyword = self._next()
        if keyword.text != "returns":
            raise _MalformedError(f"behind the request of `{name.text}` stands `returns`", self._span(keyword))
        self._read_type(f"the response of `{name.text}`")
        end = self._next()
        if end.text == "{":
            self._skip_block(end)
        elif end.text != ";":
            raise _MalformedError(f"the rpc `{name.text}` ends with `;` or a block", self._span(end))
        return Rpc(name=name.text, span=self._span(name))

    def _read_type(self, what: str) -> None:
        self._expect("(", f"{what} stands in parentheses")
        # `stream` marks a stream, unless it is itself the type.
        if self._peek().text == "stream" and self._peek(1).text not in (")", "."):
            self._next()
        if self._peek().text == ".":
            self._next()
        self._full_name(what)
        self._expect(")", f"{what} stands in parentheses")

    def _full_name(self, what: str) -> str:
        parts = [self._word(what).text]
        while self._peek().text == ".":
            self._next()
            parts.append(self._word(what).text)
        return ".".join(parts)

    # ---- what is stepped over

    def _skip_statement(self, first: _Token) -> None:
        """Step to the `;` of a statement; blocks and lists may stand before it."""
        while (token := self._next()).text != ";":
            if token.text in _CLOSERS:
                self._skip_block(token)
            elif token.text == _END or token.text in _CLOSERS.values():
                raise _MalformedError(f"the `{first.text}` statement does not end with `;`", self._span(first))

    def _skip_declaration(self, keyword: _Token) -> None:
        self._full_name_or_type(keyword)
        self._skip_block(self._expect("{", f"the `{keyword.text}` has a block"))

    def _full_name_or_type(self, keyword: _Token) -> None:
        if self._peek().text == ".":
            self._next()
        self._full_name(f"a name behind `{keyword.text}`")

    def _skip_block(self, opener: _Token) -> None:
        open_: list[_Token] = [opener]
        while open_:
            token = self._next()
            if token.text in _CLOSERS:
                open_.append(token)
            elif token.text == _END:
                raise _MalformedError(f"this `{open_[-1].text}` is never closed", self._span(open_[-1]))
            elif token.kind == "sign" and token.text in _CLOSERS.values():
                last = open_.pop()
                if _CLOSERS[last.text] != token.text:
                    label = Label(self._span(last), "opened here")
                    raise _MalformedError(f"`{token.text}` closes what `{last.text}` opened", self._span(token), label)

    # ---- tokens

    def _peek(self, ahead: int = 0) -> _Token:
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def _next(self) -> _Token:
        token = self._peek()
        self._at += 1
        return token

    def _expect(self, sign: str, otherwise: str) -> _Token:
        token = self._next()
        if token.text != sign:
            raise _MalformedError(otherwise, self._span(token))
        return token

    def _word(self, what: str) -> _Token:
        token = self._next()
        if token.kind != "word":
            raise _MalformedError(f"{what} needs a name, and here stands `{_shown(token)}`", self._span(token))
        return token

    def _span(self, token: _Token) -> Span:
        return self._source.span(token.start, token.end)


def _shown(token: _Token) -> str:
    return token.text if token.text != _END else "the end of the file"


def _tokens(source: SourceText) -> list[_Token]:
    """Cut a text into tokens, spaces and comments left out; the last is the end."""
    tokens: list[_Token] = []
    text = source.text
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or ""
        if kind == "space":
            continue
        start = found.start()
        if kind == "sign":
            if text.startswith("/*", start):
                raise _MalformedError("this comment is never closed", source.span(start, start + 2))
            if found[0] in "\"'":
                raise _MalformedError("this text is not closed on its line", source.span(start, start + 1))
        tokens.append(_Token(kind, found[0], start))
    tokens.append(_Token("end", _END, len(text)))
    return tokens
