"""Strings of HPACK (RFC 7541 section 5.2): Huffman codes decoded a byte at a time by a machine that grows with use.

The code is canonical, so the lengths of its codes (appendix B) say all. A state is a path of bits that ends on no
symbol: there are 256, so the machine has at most 65,536 steps however hostile the texts are.
"""

from __future__ import annotations

# fmt: off
_LENGTHS = (
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28,
    28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15,
    6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22,
    20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23,
    23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22,
    22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26,
    27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27,
    26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
)
# fmt: on
"""How many bits the code of each byte has; the end mark (30 ones), which no string may hold, is left out."""

_MAX_REMEMBERED = 1024
_MAX_REMEMBERED_BYTES = 64


class HuffmanError(ValueError):
    """Bits that are no Huffman coded string."""


def _canonical_codes() -> dict[tuple[int, int], int]:
    codes: dict[tuple[int, int], int] = {}
    code = 0
    before = 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(_LENGTHS)):
        code <<= length - before
        before = length
        codes[length, code] = symbol
        code += 1
    return codes


_SYMBOLS = _canonical_codes()
"""The length and value of each code to its byte."""

_LONGEST = 30
_STATES: dict[tuple[int, int], int] = {(0, 0): 0}
_PATHS: list[tuple[int, int]] = [(0, 0)]
_STEPS: list[list[tuple[int, bytes] | None]] = [[None] * 256]
_REMEMBERED: dict[bytes, bytes] = {}


def huffman_decode(coded: bytes) -> bytes:
    """The string that was coded.

    Raises:
        HuffmanError: it holds the end mark, or does not end in less than 8 ones of padding (section 5.2).
    """
    known = _REMEMBERED.get(coded)
    if known is not None:
        return known
    state = 0
    pieces: list[bytes] = []
    for byte in coded:
        step = _STEPS[state][byte] or _new_step(state, byte)
        state = step[0]
        pieces.append(step[1])
    length, value = _PATHS[state]
    if length > 7 or value != (1 << length) - 1:
        raise HuffmanError("a Huffman coded string with bad padding")
    text = b"".join(pieces)
    if len(coded) <= _MAX_REMEMBERED_BYTES:
        if len(_REMEMBERED) >= _MAX_REMEMBERED:
            _REMEMBERED.clear()
        _REMEMBERED[coded] = text
    return text


def _new_step(state: int, byte: int) -> tuple[int, bytes]:
    length, value = _PATHS[state]
    out = bytearray()
    for bit in range(7, -1, -1):
        value = value << 1 | byte >> bit & 1
        length += 1
        symbol = _SYMBOLS.get((length, value))
        if symbol is not None:
            out.append(symbol)
            length = value = 0
        elif length >= _LONGEST:
            raise HuffmanError("a Huffman coded string with the end mark")
    following = _STATES.get((length, value))
    if following is None:
        following = len(_PATHS)
        _STATES[length, value] = following
        _PATHS.append((length, value))
        _STEPS.append([None] * 256)
    step = (following, bytes(out))
    _STEPS[state][byte] = step
    return step
