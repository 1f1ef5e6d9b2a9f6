"""Copies tensors between checkpoint files in slices, without ever holding one whole.

TensorFlow's checkpoint ("tensor bundle") is an index file, PREFIX.index, which maps names to
(shape, dtype, shard, offset, size, checksum), and data files, PREFIX.data-00000-of-00001, ...,
which hold the tensors' bytes one after the other. The index is a table in the format of LevelDB
(tensorflow/core/util/tensor_bundle, tensorflow/core/lib/io/table_format.txt). A tensor's bytes and
its checksum can therefore move from one bundle to another as they are.

Values that are in no bundle are not this module's matter: TensorFlow writes those.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping

import tensorflow as tf
from google.protobuf import message
from tensorflow.core.protobuf import tensor_bundle_pb2

from exporter import ordinary_files

_TABLE_MAGIC = 0xDB4775248B80FB57
_FOOTER_SIZE = 48
_BLOCK_TRAILER_SIZE = 5
_HEADER_KEY = b""
# What the keys of a partitioned tensor's slices begin with; no tensor's name does.
_SLICE_KEY = b"\0"
_SLICE_BYTES = 1 << 20
# A tensor takes about a hundred bytes of an index.
_INDEX_BYTES = 64 << 20


class BundleFormatError(ValueError):
    """The files are not a complete tensor bundle that this module can read."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One tensor of a bundle.

    Attributes:
      shape: The tensor's shape.
      dtype: The tensor's dtype.
      data_file: The file that holds its bytes.
      offset: Where in that file they begin, in bytes.
      size: How many there are.
      checksum: Their masked CRC32C.
      is_plain: Whether the bytes are the tensor as it is, in one piece: false for strings and for
        tensors that were saved in slices.
    """

    shape: tuple[int, ...]
    dtype: tf.DType
    data_file: str
    offset: int
    size: int
    checksum: int
    is_plain: bool


# Is shown the bytes of tensors as they are copied.
Watch = Callable[[Entry, bytes], None]


def read_entries(prefix: str) -> dict[str, Entry]:
    """Reads a bundle's index.

    Args:
      prefix: The bundle's path without ".index".

    Returns:
      The tensors by name, in the order of the names.

    Raises:
      BundleFormatError: The index is cut off, damaged, compressed or of the other byte order, or a
        data file is missing or shorter than the index says.
    """
    protos = _read_index(prefix + ".index")
    try:
        header = tensor_bundle_pb2.BundleHeaderProto.FromString(protos.pop(_HEADER_KEY))
        if header.endianness != tensor_bundle_pb2.BundleHeaderProto.LITTLE:
            raise BundleFormatError(f"{prefix}.index was written on a big-endian machine")
        entries = {key: _entry(prefix, header, value) for key, value in protos.items()}
        named = {
            key.decode("utf-8"): entry
            for key, entry in entries.items()
            if not key.startswith(_SLICE_KEY)
        }
    except (message.DecodeError, TypeError, ValueError) as error:
        if isinstance(error, BundleFormatError):
            raise
        raise BundleFormatError(f"{prefix}.index is damaged") from error
    _check_data_files(entries.values())
    return named


def data_files(prefix: str) -> set[str]:
    """Returns the paths of the data files that hold a bundle's tensors, and slices of them.

    Args:
      prefix: The bundle's path without ".index".

    Raises:
      BundleFormatError: The index is cut off, damaged, compressed or of the other byte order.
    """
    protos = _read_index(prefix + ".index")
    try:
        header = tensor_bundle_pb2.BundleHeaderProto.FromString(protos.pop(_HEADER_KEY))
        entries = [tensor_bundle_pb2.BundleEntryProto.FromString(v) for v in protos.values()]
    except message.DecodeError as error:
        raise BundleFormatError(f"{prefix}.index is damaged") from error
    return {data_file(prefix, entry.shard_id, header.num_shards) for entry in entries}


def _entry(prefix: str, header: tensor_bundle_pb2.BundleHeaderProto, value: bytes) -> Entry:
    proto = tensor_bundle_pb2.BundleEntryProto.FromString(value)
    dtype = tf.as_dtype(proto.dtype)
    entry = Entry(
        shape=tuple(dim.size for dim in proto.shape.dim),
        dtype=dtype,
        data_file=data_file(prefix, proto.shard_id, header.num_shards),
        offset=proto.offset,
        size=proto.size,
        checksum=proto.crc32c,
        is_plain=not proto.slices and dtype not in (tf.string, tf.variant),
    )
    if min(entry.offset, entry.size, *entry.shape) < 0:
        raise BundleFormatError(f"{prefix}.index is damaged")
    return entry


def data_file(prefix: str, shard: int = 0, num_shards: int = 1) -> str:
    """Returns the path of one of a bundle's data files."""
    return f"{prefix}.data-{shard:05d}-of-{num_shards:05d}"


def append(
    prefix: str,
    tensors: Mapping[str, Entry],
    watch: Watch | None = None,
) -> None:
    """Adds tensors of other bundles to a bundle of one data file.

    The bundle is not readable while this runs, so it must be one that nobody uses yet.

    Args:
      prefix: The bundle to add to.
      tensors: What to add, by the names that they get there.
      watch: Is shown the bytes, slice by slice.

    Raises:
      BundleFormatError: The bundle cannot be read, or has the name already.
      ValueError: A tensor is not plain.
    """
    protos = _read_index(f"{prefix}.index")
    target = data_file(prefix)
    _add(prefix, protos, tensors, offset=tf.io.gfile.stat(target).length)
    _copy(tensors, target, "ab", watch)
    _write_index(prefix, protos)


def prepend(prefix: str, tensors: Mapping[str, Entry], write: Callable[[str], None]) -> None:
    """Adds tensors of other bundles to a bundle of one data file, as another one before it.

    Args:
      prefix: The bundle to add to, which is not readable while this runs.
      tensors: What to add, by the names that they get there.
      write: Makes the file of a path, as `write_data` does it for the same tensors.

    Raises:
      BundleFormatError: The bundle cannot be read, or has the name already.
      ValueError: A tensor is not plain.
    """
    protos = _read_index(f"{prefix}.index")
    header = tensor_bundle_pb2.BundleHeaderProto.FromString(protos.pop(_HEADER_KEY))
    header.num_shards = 2
    for key, value in protos.items():
        proto = tensor_bundle_pb2.BundleEntryProto.FromString(value)
        proto.shard_id = 1
        protos[key] = proto.SerializeToString(deterministic=True)
    protos[_HEADER_KEY] = header.SerializeToString(deterministic=True)
    _add(prefix, protos, tensors, offset=0)
    write(data_file(prefix, 0, 2))
    tf.io.gfile.rename(data_file(prefix), data_file(prefix, 1, 2))
    _write_index(prefix, protos)


def write_data(file: str, tensors: Mapping[str, Entry], watch: Watch | None = None) -> None:
    """Writes a data file, whose bytes do not depend on what the tensors are called.

    Args:
      file: The file.
      tensors: What it holds, in this order.
      watch: Is shown the bytes, slice by slice.

    Raises:
      BundleFormatError: A tensor's file ends before the tensor does.
    """
    _copy(tensors, file, "wb", watch)


def _add(
    prefix: str, protos: dict[bytes, bytes], tensors: Mapping[str, Entry], *, offset: int
) -> None:
    """Adds entries for tensors that will lie in the first data file, one behind the other."""
    placed: dict[Entry, int] = {}
    for name, entry in tensors.items():
        if not entry.is_plain:
            raise ValueError(f"{name} is not stored in one piece")
        key = name.encode("utf-8")
        if key in protos:
            raise BundleFormatError(f"{prefix} has a tensor {name!r} already")
        if entry not in placed:
            placed[entry] = offset
            offset += entry.size
        protos[key] = _entry_proto(entry, placed[entry]).SerializeToString(deterministic=True)


def _copy(tensors: Mapping[str, Entry], target: str, mode: str, watch: Watch | None) -> None:
    with tf.io.gfile.GFile(target, mode) as out:
        for entry in dict.fromkeys(tensors.values()):
            for piece in read_slices(entry):
                if watch is not None:
                    watch(entry, piece)
                out.write(piece)


def _write_index(prefix: str, protos: Mapping[bytes, bytes]) -> None:
    with tf.io.gfile.GFile(f"{prefix}.index", "wb") as out:
        out.write(_table(protos))


def read_slices(entry: Entry) -> Iterator[bytes]:
    """Yields a tensor's bytes in slices of a megabyte.

    Raises:
      BundleFormatError: The file ends before the tensor does.
    """
    left = entry.size
    with tf.io.gfile.GFile(entry.data_file, "rb") as file:
        file.seek(entry.offset)
        while left:
            piece = file.read(min(left, _SLICE_BYTES))
            if not piece:
                raise BundleFormatError(f"{entry.data_file} has become shorter while it was read")
            left -= len(piece)
            yield piece


def _entry_proto(entry: Entry, offset: int) -> tensor_bundle_pb2.BundleEntryProto:
    return tensor_bundle_pb2.BundleEntryProto(
        dtype=entry.dtype.as_datatype_enum,
        shape=tf.TensorShape(entry.shape).as_proto(),
        offset=offset,
        size=entry.size,
        crc32c=entry.checksum,
    )


def _check_data_files(entries: Iterable[Entry]) -> None:
    ends: dict[str, int] = {}
    for entry in entries:
        end = entry.offset + entry.size
        ends[entry.data_file] = max(end, ends.get(entry.data_file, 0))
    for file, end in ends.items():
        if not tf.io.gfile.exists(file):
            raise BundleFormatError(f"{file} is missing")
        unfit = "a folder" if tf.io.gfile.isdir(file) else ordinary_files.why_not(file)
        if unfit is not None:
            raise BundleFormatError(f"{file} is no ordinary file ({unfit})")
        length = tf.io.gfile.stat(file).length
        if length < end:
            raise BundleFormatError(f"{file} has {length} bytes of at least {end}: cut off?")


def _read_index(path: str) -> dict[bytes, bytes]:
    """Reads all keys and values of a table file."""
    unfit = ordinary_files.why_not(path, _INDEX_BYTES)
    if unfit is not None:
        raise BundleFormatError(f"{path} is no ordinary index ({unfit})")
    with tf.io.gfile.GFile(path, "rb") as file:
        data = file.read()
    if len(data) < _FOOTER_SIZE or struct.unpack("<Q", data[-8:])[0] != _TABLE_MAGIC:
        raise BundleFormatError(f"{path} is not the index of a checkpoint, or is cut off")
    try:
        _, position = _handle(data, len(data) - _FOOTER_SIZE)
        index_block, _ = _handle(data, position)
        pairs: dict[bytes, bytes] = {}
        for _, value in _block(data, *index_block):
            block, _ = _handle(value, 0)
            pairs.update(_block(data, *block))
    except (IndexError, struct.error) as error:
        raise BundleFormatError(f"{path} is damaged") from error
    if _HEADER_KEY not in pairs:
        raise BundleFormatError(f"{path} has no header")
    return pairs


def _block(data: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yields the keys and values of one block of a table."""
    end = offset + size
    compression, checksum = struct.unpack("<BI", data[end : end + _BLOCK_TRAILER_SIZE])
    if compression:
        raise BundleFormatError("the index is compressed")
    if checksum != _masked_crc32c(data[offset : end + 1]):
        raise BundleFormatError("the index is damaged: its checksum differs")
    (num_restarts,) = struct.unpack("<I", data[end - 4 : end])
    entries_end = end - 4 * (num_restarts + 1)
    key = b""
    while offset < entries_end:
        shared, offset = _varint(data, offset)
        unshared, offset = _varint(data, offset)
        value_size, offset = _varint(data, offset)
        key = key[:shared] + data[offset : offset + unshared]
        offset += unshared
        yield key, data[offset : offset + value_size]
        offset += value_size


def _table(pairs: Mapping[bytes, bytes]) -> bytes:
    """Returns a table file of one data block."""
    keys = sorted(pairs)
    file = bytearray()
    data_handle = _add_block(file, [(key, pairs[key]) for key in keys])
    meta_handle = _add_block(file, [])
    index_handle = _add_block(file, [(keys[-1], data_handle)])
    footer = meta_handle + index_handle
    file += footer.ljust(_FOOTER_SIZE - 8, b"\0") + struct.pack("<Q", _TABLE_MAGIC)
    return bytes(file)


def _add_block(file: bytearray, pairs: list[tuple[bytes, bytes]]) -> bytes:
    """Appends a block, each key written whole, and returns its handle."""
    block = bytearray()
    restarts = []
    for key, value in pairs:
        restarts.append(len(block))
        block += b"\0" + _to_varint(len(key)) + _to_varint(len(value)) + key + value
    restarts = restarts or [0]
    block += struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))
    handle = _to_varint(len(file)) + _to_varint(len(block))
    block += b"\0"  # Not compressed.
    file += block + struct.pack("<I", _masked_crc32c(block))
    return handle


def _handle(data: bytes, position: int) -> tuple[tuple[int, int], int]:
    """Reads a block's (offset, size) and returns it with the position behind it."""
    offset, position = _varint(data, position)
    size, position = _varint(data, position)
    return (offset, size), position


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _to_varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _crc32c_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_CRC32C_TABLE = _crc32c_table()


def _masked_crc32c(data: bytes | bytearray) -> int:
    """The checksum of LevelDB's blocks; only ever used on the few kilobytes of an index."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC32C_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
