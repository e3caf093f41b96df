"""Reads the two containers in which trackers keep one binary record after the other."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO

# W&B: a mark, then blocks of 32 KiB, each filled with chunks that begin with CRC-32, size, kind.
WANDB_MARK = b":W&B"
_WANDB_HEADER = 7
_BLOCK = 1 << 15
_CHUNK_HEADER = struct.Struct("<IHB")
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
# TensorBoard: size (8 bytes), masked CRC-32C of the size, the record, masked CRC-32C of the record.
_SIZE = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")


class BlockError(ValueError):
    """A record that is damaged; the text says at which byte."""


def tensorboard_records(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield place and content of each record; a torn last one, as a killed run leaves it, ends it.

    The checksum of each size is compared, that of the content is left, which would take most of the
    time. Raises ``BlockError``.
    """
    with path.open("rb") as file:
        place = 0
        while True:
            head = file.read(_SIZE.size + _CHECKSUM.size)
            if len(head) < _SIZE.size + _CHECKSUM.size:
                return
            size_bytes, checksum = head[: _SIZE.size], head[_SIZE.size :]
            if _CHECKSUM.unpack(checksum)[0] != _masked_crc32c(size_bytes):
                raise BlockError(f"at byte {place}: damaged record")
            size = _SIZE.unpack(size_bytes)[0]
            record = file.read(size + _CHECKSUM.size)
            if len(record) < size + _CHECKSUM.size:
                return
            yield place, record[: -_CHECKSUM.size]
            place = file.tell()


def wandb_records(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield place and content of each record; a torn last one ends it. Raises ``BlockError``."""
    with path.open("rb") as file:
        if not file.read(_WANDB_HEADER).startswith(WANDB_MARK):
            raise BlockError("at byte 0: no W&B file")
        begun = b""
        place = file.tell()
        while (chunk := _chunk(file)) is not None:
            kind, content = chunk
            begun = content if kind in (_WHOLE, _FIRST) else begun + content
            if kind in (_WHOLE, _LAST):
                yield place, begun
                place = file.tell()


def _chunk(file: BinaryIO) -> tuple[int, bytes] | None:
    """Return kind and content of the next chunk, or None at the end of what was written."""
    left = _BLOCK - file.tell() % _BLOCK
    if left < _CHUNK_HEADER.size:
        file.seek(left, 1)
    place = file.tell()
    header = file.read(_CHUNK_HEADER.size)
    if len(header) < _CHUNK_HEADER.size:
        return None
    checksum, size, kind = _CHUNK_HEADER.unpack(header)
    content = file.read(size)
    if len(content) < size:
        return None
    if kind not in (_WHOLE, _FIRST, _MIDDLE, _LAST) or checksum != zlib.crc32(
        content, zlib.crc32(bytes([kind]))
    ):
        raise BlockError(f"at byte {place}: damaged record")
    return kind, content


def _masked_crc32c(data: bytes) -> int:
    """Return the CRC-32C (RFC 3720, section 12.1) as TensorFlow's record files mask it."""
    table = _crc32c_table()
    crc = 0xFFFF_FFFF
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFF_FFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282_EAD8) & 0xFFFF_FFFF


@cache
def _crc32c_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F6_3B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)
