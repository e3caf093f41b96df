"""Reads the wire format of protocol buffers, so that files in it need no package of their own.

The format is fixed: https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

VARINT = 0
FIXED64 = 1
BYTES = 2
FIXED32 = 5

_FIXED = {FIXED64: 8, FIXED32: 4}


class WireError(ValueError):
    """Bytes that are no message."""


def fields(message: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Yield number, wire type and content of each field: an int for VARINT, otherwise bytes.

    Raises ``WireError`` for bytes that are no message.

    >>> list(fields(bytes([0x10, 0xAC, 0x02, 0x0A, 0x01, 0x61])))
    [(2, 0, 300), (1, 2, b'a')]
    """
    position, end = 0, len(message)
    while position < end:
        tag, position = _varint(message, position)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, position = _varint(message, position)
            yield number, kind, value
            continue
        if kind == BYTES:
            size, position = _varint(message, position)
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise WireError(f"a field of wire type {kind}")
        if position + size > end:
            raise WireError("a field that is cut off")
        yield number, kind, message[position : position + size]
        position += size


def parts(message: bytes, number: int) -> Iterator[bytes]:
    """Yield the contents of a field that holds bytes, text or messages."""
    for each, _, content in fields(message):
        if each == number and isinstance(content, bytes):
            yield content


def text(message: bytes, number: int) -> str | None:
    """Return the last text of a field, or None; raises ``WireError`` for bytes that are no text."""
    found = None
    for content in parts(message, number):
        try:
            found = content.decode("utf-8")
        except UnicodeDecodeError:
            raise WireError(f"field {number} is no text") from None
    return found


def integer(message: bytes, number: int) -> int:
    """Return the last value of a varint field as a signed number; 0, the default, without one."""
    found = 0
    for each, _, content in fields(message):
        if each == number and isinstance(content, int):
            found = content
    return found - (1 << 64) if found >> 63 else found


def float32(content: bytes) -> float:
    """Return the number in four bytes.

    >>> float32(bytes([0, 0, 0x80, 0x3F]))
    1.0
    """
    number: float = struct.unpack("<f", content)[0]
    return number


def float64(content: bytes) -> float:
    """Return the number in eight bytes."""
    number: float = struct.unpack("<d", content)[0]
    return number


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(message) or shift > 63:
            raise WireError("a number that is cut off")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position
        shift += 7
