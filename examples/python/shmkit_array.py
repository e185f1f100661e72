"""shmkit's SharedArray as a numpy array. Both use the same memory; nothing is copied.

    with shmkit_array.attach(name, "float64") as shared:
        shared.array *= 2

The array with the name NAME is the shared memory object shmkit.array.NAME. It begins with a header
that describes its contents. All numbers in the header are little-endian:

    offset  size  what
    0       4     magic: SHMK
    4       2     layout version: 2
    6       2     kind of object: 3 is an array
    12      4     offset of the first element
    40      4     type of the elements, see ELEMENT_TYPES
    48      8     number of elements

This module takes no lock. Let the Node side hold the array's lock meanwhile, as main.ts does.
"""

import struct
import sys
from multiprocessing import resource_tracker, shared_memory

import numpy

HEADER = struct.Struct("<4sHH4xI24xI4xQ")
MAGIC = b"SHMK"
VERSION = 2
ARRAY = 3
ELEMENT_TYPES = {
    1: "int8",
    2: "uint8",
    3: "int16",
    4: "uint16",
    5: "int32",
    6: "uint32",
    7: "int64",
    8: "uint64",
    9: "float32",
    10: "float64",
}


def attach(name, dtype=None):
    """Attaches to the SharedArray of that name. Raises FileNotFoundError if there is none.

    With a dtype, an array of any other type is a TypeError. An object that is no array of a layout
    known here is a ValueError.
    """
    memory = _attach_only(f"shmkit.array.{name}")
    try:
        return SharedArray(memory, name, dtype)
    except BaseException:
        memory.close()
        raise


class SharedArray:
    """An attached array. Close it, or use it in a `with` statement."""

    def __init__(self, memory, name, dtype):
        element_type, length, offset = _read_header(memory, name)
        if dtype is not None and numpy.dtype(dtype) != element_type:
            raise TypeError(f"'{name}' has elements of {element_type}, not {numpy.dtype(dtype)}")
        self.name = name
        self.array = numpy.ndarray(length, element_type, memory.buf, offset)
        self._memory = memory

    def close(self):
        """Detaches from the memory. Other processes keep it.

        Let go of other views of the array before (`del`): as long as there are any, Python does not
        unmap the memory, and this raises BufferError.
        """
        self.array = None
        self._memory.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _attach_only(name):
    """Attaches to shared memory that another process will unlink.

    Before 3.13 Python takes memory that it attached to for its own: its resource tracker would
    unlink it when this process ends.
    """
    if sys.version_info >= (3, 13):
        return shared_memory.SharedMemory(name, track=False)
    memory = shared_memory.SharedMemory(name)
    resource_tracker.unregister(memory._name, "shared_memory")
    return memory


def _read_header(memory, name):
    """The type of the elements, their number, and the offset of the first one."""
    if memory.size < HEADER.size:
        raise ValueError(f"'{name}' is too small for a shmkit object")
    magic, version, kind, offset, type_number, length = HEADER.unpack_from(memory.buf)
    if magic != MAGIC:
        raise ValueError(f"'{name}' is no shmkit object")
    if version != VERSION:
        raise ValueError(f"'{name}' has layout version {version}; this reads version {VERSION}")
    if kind != ARRAY:
        raise ValueError(f"'{name}' is an object of kind {kind}, not an array ({ARRAY})")
    if type_number not in ELEMENT_TYPES:
        raise ValueError(f"'{name}' has elements of an unknown type, {type_number}")
    element_type = numpy.dtype(ELEMENT_TYPES[type_number]).newbyteorder("<")
    if offset < HEADER.size or offset + length * element_type.itemsize > memory.size:
        raise ValueError(f"'{name}' says that it has {length} elements, for which it is too small")
    return element_type, length, offset
