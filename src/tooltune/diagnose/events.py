"""Scalars of TensorBoard event files, read without TensorBoard, whose package brings ten others.

A file is a row of records (TFRecord): length in 8 bytes, 4 bytes of checksum, the bytes, 4 bytes of
checksum. Each record is an `Event` in protocol-buffer encoding (tensorboard/compat/proto, fields by
number): Event.step 2, Event.summary 5, Summary.value 1, Value.tag 1, Value.simple_value 2,
Value.tensor 8, TensorProto.tensor_content 4, TensorProto.float_val 5.
"""

import struct
from collections.abc import Iterator

_STEP, _SUMMARY = 2, 5
_VALUE = 1
_TAG, _SIMPLE, _TENSOR = 1, 2, 8
_CONTENT, _FLOATS = 4, 5


def read_scalars(data: bytes) -> Iterator[tuple[int, str, float]]:
    """(step, tag, value) in the file's order; ends before a record that is not whole yet.

    Raises ValueError for bytes that are no event file.
    """
    for record in _records(data):
        event = dict(_fields(record))
        step, summary = event.get(_STEP, 0), event.get(_SUMMARY)
        if not isinstance(summary, bytes) or not isinstance(step, int):
            continue
        for number, value in _fields(summary):
            if number == _VALUE and isinstance(value, bytes):
                fields = dict(_fields(value))
                tag, scalar = fields.get(_TAG), _scalar(fields)
                if isinstance(tag, bytes) and scalar is not None:
                    yield step, tag.decode("utf-8", errors="replace"), scalar


def _records(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        start, end = at + 12, at + 12 + length
        if end + 4 > len(data):
            return
        yield data[start:end]
        at = end + 4


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, whole number or raw bytes) of a protocol-buffer message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _varint(message, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if at + size > len(message):
            raise ValueError("a field longer than its message")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """(number, index behind it): seven bits a byte, lowest first."""
    number = shift = 0
    while True:
        if at >= len(message):
            raise ValueError("a number that does not end")
        byte = message[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at


def _scalar(value: dict[int, int | bytes]) -> float | None:
    """None for images, texts and histograms."""
    raw = value.get(_SIMPLE)
    tensor = value.get(_TENSOR)
    if raw is None and isinstance(tensor, bytes):
        inside = dict(_fields(tensor))
        raw = inside.get(_FLOATS, inside.get(_CONTENT))
    if not isinstance(raw, bytes) or len(raw) != 4:
        return None
    return float(struct.unpack("<f", raw)[0])
