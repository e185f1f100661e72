"""The Python side of shmkit: attach to what Node programs share, and take the same locks.

Copy this file to where Python finds it, or add its folder to PYTHONPATH. It needs only the standard
library of CPython 3.8 or later. With numpy, arrays are numpy arrays; without it, memoryviews.

    import shmkit

    with shmkit.SharedArray("samples") as samples:
        with samples.lock:
            samples.array *= 2

    with shmkit.NamedLock("report") as lock:
        with lock:
            if lock.abandoned:
                ...  # the last owner died while it held the lock: check what it left

Nothing here makes or removes a name. Python attaches to what a Node program made, and leaves
everything in place when it ends. An object is addressed by the name that the Node program gave it.
An object of a manager has the name "/MANAGER/NAME".

A lock is a robust mutex of the C library, which lies in shared memory. Python and Node lock the
same mutex, so they exclude each other. If an owner is killed, the system hands the lock to the next
owner, and `abandoned` says so. This works on Linux, and only between programs with the same C
library and machine; everything else is refused with `ERR_ABI_MISMATCH`. Memory, arrays and values
can be used on Windows and macOS, too (on macOS, with names of which the system needs no digest).

The layout is described in docs/memory-layout.md.
"""

import ctypes
import errno
import io
import json
import mmap
import os
import platform
import struct
import sys
import threading
import time

__all__ = [
    "Error",
    "Lock",
    "NamedLock",
    "SharedArray",
    "SharedMemory",
    "SharedObject",
    "SharedValue",
    "attach",
    "shareable_list",
]

LAYOUT_VERSION = 2

_KINDS = {
    1: "lock",
    2: "value",
    3: "array",
    4: "rlock",
    5: "semaphore",
    6: "event",
    7: "condition",
    8: "barrier",
    9: "rwlock",
    10: "dict",
    11: "list",
    12: "queue",
    13: "namespace",
    14: "manager",
    15: "object",
}

# Element types: their number, the name that shmkit and numpy use, and the format of struct.
_TYPES = {
    1: ("int8", "b"),
    2: ("uint8", "B"),
    3: ("int16", "h"),
    4: ("uint16", "H"),
    5: ("int32", "i"),
    6: ("uint32", "I"),
    7: ("int64", "q"),
    8: ("uint64", "Q"),
    9: ("float32", "f"),
    10: ("float64", "d"),
}

# magic, version, kind, ABI word, offset of the data; size, type, length
_HEADER = struct.Struct("<4sHHII16xQI4xQ")
_HEADER_BYTES = 256
_STATE, _NEWS, _MUTEX, _RELEASES, _ENDED = 64, 68, 72, 132, 136
_LIVE, _DOOMED, _DEAD = 1, 2, 3

# The data of a SharedObject: bytes of the value, number of buffers, bytes of the references, offset of
# the table. In the table for each buffer: offset, bytes, offset in the original, maximum size, and the
# number of the reference whose object has it, or 0.
_OBJECT_FORMAT = 1
_OBJECT_HEAD = struct.Struct("=4d")
_OBJECT_BUFFER = struct.Struct("=5d")

_ON_LINUX = sys.platform.startswith("linux")


class Error(Exception):
    """An error of a shared object. `code` is as in Node, such as ERR_WRONG_KIND."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def attach(handle):
    """Attaches to the object of a handle: what `toJSON()` of a shared object returns in Node.

    Raises as the class of that kind does, and Error `ERR_WRONG_KIND` if Python cannot use the kind.
    """
    classes = {
        "memory": SharedMemory,
        "lock": NamedLock,
        "value": SharedValue,
        "array": SharedArray,
        "object": SharedObject,
        "shareable-list": shareable_list,
    }
    kind, name = handle["shmkit"], handle["name"]
    if kind == "memory":
        return SharedMemory(name, read_only=handle.get("readOnly", False))
    if kind not in classes:
        known = ", ".join(classes)
        raise Error("ERR_WRONG_KIND", f"{kind} '{name}' cannot be used from Python, only: {known}")
    return classes[kind](name)


class _Closing:
    """`with` closes the object."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class SharedMemory(_Closing):
    """An attached segment: shmkit's SharedMemory, also one that Python made.

    read_only: `buf` cannot be written to. This needs only the permission to read.

    Raises FileNotFoundError if there is none of that name, and PermissionError.
    """

    def __init__(self, name, read_only=False):
        self.name = name
        self._segment = _Segment(_system_name("memory", name), read_only=read_only)

    @property
    def size(self):
        """The size in bytes."""
        return self._segment.size

    @property
    def buf(self):
        """The bytes, as a memoryview."""
        return self._segment.buf

    def close(self):
        """Detaches. Raises BufferError while views of the memory are in use: delete these first."""
        self._segment.close()


class Lock:
    """A lock that Node and Python programs share. `with` acquires and releases it.

    The owner is a thread. If it ends or is killed while it holds the lock, the next owner gets the
    lock, and `abandoned` is True for that owner.

    If Ctrl-C interrupts `acquire`, the lock is not held. As with every lock of Python, an interrupt
    just before or after the block of a `with` may leave it held, until the thread ends.
    """

    def __init__(self, attached):
        # What is attached, and its mutex. None when this object is closed.
        self._use = (attached, _Mutex.of(attached))
        self._name, self._title = attached.name, attached.title
        # The thread that has acquired the lock by this object last.
        self._holder = None
        self.abandoned = False

    @property
    def name(self):
        """The name of the object that the lock belongs to."""
        return self._name

    @property
    def held(self):
        """Whether this thread holds the lock."""
        use = self._use
        return use is not None and use[1].is_held_by(threading.current_thread())

    def acquire(self, block=True, timeout=None):
        """Acquires the lock. Blocks this thread while another thread or process holds the lock.

        timeout: the maximum time to wait, in seconds. None: without a limit.
        Returns False if the lock did not become free. Ctrl-C interrupts the wait.

        Raises Error `ERR_DEADLOCK` if this thread holds the lock, `ERR_SHUTDOWN` if the manager
        that made the lock has ended, `ERR_CLOSED`, `ERR_CORRUPT`; FileNotFoundError if the lock was
        unlinked.
        """
        deadline = None
        if not block:
            deadline = 0
        elif timeout is not None:
            deadline = time.monotonic() + max(timeout, 0)
        while True:
            use = self._use
            if use is None:
                raise self._closed()
            if not use[1].keep():
                # Another thread has closed this object, or opened its name again.
                continue
            got = self._attempt(use, deadline)
            if got is not _Mutex.GONE:
                return got is not None
            self._reopen(use)

    def _attempt(self, use, deadline):
        attached, mutex = use
        attempt = _Attempt()
        try:
            try:
                got = mutex.acquire(attached, deadline, attempt)
                if attempt.is_held:
                    with _guard():
                        if self._use is not use:
                            raise self._closed()
                        self._holder = threading.current_thread()
                        self.abandoned = got is _Mutex.ABANDONED
                return got
            finally:
                mutex.let_go()
        except BaseException:
            mutex.give_back(attempt)
            raise

    def release(self):
        """Releases the lock. Raises Error `ERR_NOT_HELD` if this thread does not hold it."""
        use = self._use
        if use is None or not use[1].is_held_by(threading.current_thread()):
            raise Error("ERR_NOT_HELD", f"{self._title} is not held by this thread")
        attached, mutex = use
        attempt = _Attempt(taken=True)
        mutex.keep()
        try:
            mutex.release(attached, attempt)
        except BaseException:
            mutex.give_back(attempt)
            raise
        finally:
            mutex.let_go()

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *_):
        self.release()

    def _closed(self):
        return Error("ERR_CLOSED", f"{self._title} cannot be used: it was closed here")

    def _reopen(self, use):
        raise FileNotFoundError(errno.ENOENT, "the object was unlinked", self._name)

    def _refuse_if_held(self):
        use, holder = self._use, self._holder
        if use is not None and holder is not None and use[1].is_held_by(holder):
            raise Error("EBUSY", f"{self._title} is held; release it first")

    def _close(self):
        """Returns what is still attached, or None."""
        with _guard():
            use = self._use
            if use is None:
                return None
            self._refuse_if_held()
            self._use = None
        use[1].let_go()
        return use[0]


class NamedLock(Lock):
    """A lock with a name of its own: shmkit's NamedLock.

    `with NamedLock(name) as lock` acquires the lock and releases it. The lock stays attached until
    `close()`; a lock that is used for the life of the program needs none.

    Raises FileNotFoundError if there is none of that name, PermissionError, and Error
    `ERR_ABI_MISMATCH`, `ERR_CORRUPT` if this program cannot use what has the name.
    """

    def __init__(self, name):
        super().__init__(_attach_lock(name))

    def close(self):
        """Detaches. Raises Error `EBUSY` while a thread holds the lock by this object."""
        attached = self._close()
        if attached is not None:
            attached.close()

    # An unlinked lock is gone, and the name may lead to a new one.
    def _reopen(self, use):
        new = _attach_lock(self._name)
        fresh = (new, _Mutex.of(new))
        with _guard():
            old = use if self._use is use else fresh
            if old is use:
                self._use = fresh
        old[1].let_go()
        old[0].close()


class _Typed(_Closing):
    """What values and arrays have in common."""

    def __init__(self, kind, name):
        self._attached = _Attached(kind, name)
        try:
            number, length, at = self._attached.type, self._attached.length, self._attached.data_at
            if number not in _TYPES:
                raise self._attached.corrupt(f"its element type {number} is unknown")
            self.type, self._format = _TYPES[number]
            bytes_ = length * struct.calcsize("=" + self._format)
            if at + bytes_ > self._attached.segment.size:
                raise self._attached.corrupt(f"it is too small for {length} elements")
            self._span = slice(at, at + bytes_)
            self._show()
        except BaseException:
            self._hide()
            self._attached.close()
            raise
        self._lock = None

    def _show(self):
        self._bytes = self._attached.segment.buf[self._span]

    def _hide(self):
        self._bytes = None

    @property
    def name(self):
        """The name by which others attach."""
        return self._attached.name

    @property
    def lock(self):
        """The object's own lock, the same as in Node. Linux only; see Lock."""
        if self._lock is None:
            self._lock = Lock(self._attached)
        return self._lock

    def close(self):
        """Detaches.

        Raises BufferError while views are in use (delete these first), and Error `EBUSY` while a
        thread holds the lock.
        """
        if self._lock is not None:
            self._lock._refuse_if_held()
        self._hide()
        try:
            self._attached.close()
        except BufferError:
            self._show()
            raise
        if self._lock is not None:
            self._lock._close()


class SharedArray(_Typed):
    """An array of numbers: shmkit's SharedArray. Nothing is copied.

    `array` is a numpy array, or a memoryview where numpy is not installed. `view` is a memoryview.
    dtype: if given, an array of any other type is a TypeError.
    """

    def __init__(self, name, dtype=None):
        super().__init__("array", name)
        is_other = dtype is not None and str(dtype) != self.type
        if is_other and not self._is_of(dtype):
            self.close()
            raise TypeError(f"array '{name}' has elements of {self.type}, not {dtype}")

    def __len__(self):
        return len(self.view)

    @property
    def array(self):
        """The elements, where they lie."""
        return self._array

    @array.setter
    def array(self, value):
        # `shared.array *= 2` assigns what it has changed. Anything else is copied into the memory.
        if value is not self._array:
            self._array[:] = value

    def _is_of(self, dtype):
        numpy = _numpy()
        return numpy is not None and numpy.dtype(dtype) == numpy.dtype(self.type)

    def _show(self):
        super()._show()
        numpy = _numpy()
        self.view = self._bytes.cast(self._format) if len(self._bytes) > 0 else self._bytes
        self._array = numpy.frombuffer(self._bytes, self.type) if numpy else self.view

    def _hide(self):
        self._array = self.view = None
        super()._hide()


class SharedValue(_Typed):
    """A number: shmkit's SharedValue.

    To read or to assign `value` is one access. `shared.value += 1` is two, so hold the lock for it,
    in Node too (`update()` does so, `add()` does not). Who waits for a change in Node notices it
    within a fraction of a second.
    """

    def __init__(self, name):
        super().__init__("value", name)
        if self._attached.length != 1:
            self.close()
            raise self._attached.corrupt(f"it has {self._attached.length} numbers")

    def _show(self):
        super()._show()
        self._cell = self._bytes.cast(self._format)

    def _hide(self):
        self._cell = None
        super()._hide()

    @property
    def value(self):
        """The number: an int, or a float for the types float32 and float64."""
        return self._cell[0]

    @value.setter
    def value(self, value):
        self._cell[0] = value


class SharedObject(_Closing):
    """An immutable value: shmkit's SharedObject. Python reads its ArrayBuffers, without a copy.

    `buffers` has the ArrayBuffers of the value, in the order in which they occur in it, as read-only
    memoryviews of bytes: `numpy.frombuffer(shared.buffers[0], "float64")`. Everything else in the
    value is for JavaScript only.

    Python holds nothing: the memory stays for as long as it is attached here, but when the last Node
    program lets the object go, nobody can attach to it any more.
    """

    def __init__(self, name):
        self._attached = _Attached("object", name)
        # What the value refers to instead of containing it.
        self._others = {}
        try:
            self._show()
        except BaseException:
            self._hide()
            self._close()
            raise

    @property
    def name(self):
        """The name by which others attach."""
        return self._attached.name

    def close(self):
        """Detaches. Raises BufferError while views are in use: delete these first."""
        self._hide()
        try:
            self._close()
        except BufferError:
            if not self._attached.is_closed:
                self._show()
            raise

    def _close(self):
        # The object itself first: if that fails, everything is still there to be shown again.
        if not self._attached.is_closed:
            self._attached.close()
        for number in list(self._others):
            self._others[number].close()
            del self._others[number]

    def _show(self):
        attached = self._attached
        format_ = attached.type & 0xFF
        if format_ != _OBJECT_FORMAT:
            raise Error(
                "ERR_ABI_MISMATCH",
                f"{attached.title} has format {format_}, and this file reads {_OBJECT_FORMAT}",
            )
        ranges = self._ranges(attached.segment.buf, attached.data_at, attached.whole)
        self.buffers = [self._bytes_of(source)[start:end] for source, start, end in ranges]

    def _ranges(self, buf, data_at, end):
        """What each buffer is in, and where. No view is made before all of it is known to be right."""
        attached = self._attached
        if end - data_at < _OBJECT_HEAD.size:
            raise attached.corrupt("it is too small for a value")
        packed, count, texts, front_at = _OBJECT_HEAD.unpack_from(buf, data_at)
        if not 0 <= front_at <= end - data_at:
            raise attached.corrupt("its front does not lie inside it")
        table = data_at + int(front_at)
        if not 0 <= count <= (end - table) // _OBJECT_BUFFER.size:
            raise attached.corrupt(f"it cannot have {count} buffers")
        texts_at = table + int(count) * _OBJECT_BUFFER.size + packed
        if not (packed >= 0 and texts >= 0 and texts_at + texts <= end):
            raise attached.corrupt("its references do not lie inside it")
        references = bytes(buf[int(texts_at) : int(texts_at + texts)])
        ranges = []
        for i in range(int(count)):
            at, size, _, most, source = _OBJECT_BUFFER.unpack_from(
                buf, table + i * _OBJECT_BUFFER.size
            )
            if most <= -2 and -2 - most in range(i):
                ranges.append(ranges[int(-2 - most)])
                continue
            if not 0 <= source <= len(references):
                raise attached.corrupt(f"it has no reference {source}")
            start, bound = data_at, end
            if source > 0:
                start, bound = self._attach_other(references, int(source))
            if not (at >= 0 and size >= 0 and at + size <= bound - start):
                raise attached.corrupt(f"its buffer {i} does not lie inside it")
            start += int(at)
            ranges.append((int(source), start, start + int(size)))
        return ranges

    def _attach_other(self, references, number):
        """Attaches to what the value refers to. Returns where the data begin and end there."""
        other = self._others.get(number)
        if other is None:
            try:
                handle = json.loads(references)[number - 1]
                kind, name = handle["shmkit"], handle["name"]
            except (ValueError, LookupError, TypeError):
                raise self._attached.corrupt(f"it has no reference {number}") from None
            if kind == "memory":
                other = SharedMemory(name, read_only=True)
            elif kind in ("array", "object"):
                other = _Attached(kind, name)
            else:
                raise self._attached.corrupt(f"it refers to the bytes of a {kind}")
            self._others[number] = other
        if isinstance(other, SharedMemory):
            return 0, other.size
        return other.data_at, other.whole

    def _bytes_of(self, source):
        if source == 0:
            return self._attached.segment.buf.toreadonly()
        other = self._others[source]
        if isinstance(other, SharedMemory):
            return other.buf.toreadonly()
        return other.segment.buf.toreadonly()

    def _hide(self):
        self.buffers = []


def shareable_list(name):
    """Attaches to a ShareableList. Unlike with Python's own class, it stays when Python ends.

    Do not change a list that Node made with a lock: a change that Node was making when it died is
    completed later, over what Python wrote.

    Raises Error `ENOTSUP` before Python 3.9, whose lists have another layout.
    """
    if sys.version_info < (3, 9):
        raise Error("ENOTSUP", "Python 3.8 has another layout of lists: use Python 3.9 or later")
    from multiprocessing import shared_memory

    attached = shared_memory.ShareableList(name=_system_name("memory", name))
    _untrack(attached.shm)
    return attached


def _numpy():
    """numpy, or None. It is slow to import, and only arrays need it."""
    try:
        import numpy
    except ImportError:
        return None
    return numpy


def _system_name(kind, name):
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, not {type(name).__name__}")
    if kind == "memory" and name.startswith("shmkit."):
        raise ValueError(f"{name!r} is the name of an object of shmkit, not of a segment")
    if name.startswith("/"):
        manager, _, own = name[1:].rpartition("/")
        if manager and own:
            escaped = manager.replace("%", "%25").replace("@", "%40")
            return f"shmkit.{kind}@{escaped}@{own}"
    return name if kind == "memory" else f"shmkit.{kind}.{name}"


def _place(kind, name):
    """The directory of an object, and its system name. Only an immutable object may be elsewhere."""
    if kind == "object" and isinstance(name, str) and name.startswith("file:/"):
        directory, _, own = name[len("file:") :].rpartition("/")
        return directory or "/", _system_name(kind, own)
    return "/dev/shm", _system_name(kind, name)


def _untrack(segment):
    """CPython takes what it attached to for its own, and would unlink it when it ends."""
    from multiprocessing import resource_tracker

    if os.name == "posix":
        resource_tracker.unregister(segment._name, "shared_memory")
        segment._track = False


class _Segment:
    """A mapped file of shared memory, and which file it is."""

    def __init__(self, system_name, keeps_file=False, read_only=False, directory="/dev/shm"):
        self.system_name = system_name
        self.path = None
        if not _ON_LINUX:
            self._map_by_python(read_only)
            return
        if system_name in ("", ".", "..") or "/" in system_name or "\0" in system_name:
            raise ValueError(f"{system_name!r} cannot be a name")
        self.path = os.path.join(directory, system_name)
        mode = os.O_RDONLY if read_only else os.O_RDWR
        file = io.FileIO(os.open(self.path, mode | os.O_CLOEXEC | os.O_NOFOLLOW), closefd=True)
        self.file = None
        try:
            found = os.fstat(file.fileno())
            if found.st_size == 0:
                raise Error("ERR_CORRUPT", f"'{system_name}' is empty: its creator may have died")
            self.identity = (found.st_dev, found.st_ino)
            access = mmap.ACCESS_READ if read_only else mmap.ACCESS_WRITE
            self._owner = mmap.mmap(file.fileno(), found.st_size, access=access)
            if keeps_file:
                self.file = file
        finally:
            if self.file is None:
                file.close()
        self.size = found.st_size
        self.buf = memoryview(self._owner)

    def _map_by_python(self, read_only):
        from multiprocessing import shared_memory

        if sys.version_info >= (3, 13):
            self._owner = shared_memory.SharedMemory(self.system_name, track=False)
        else:
            self._owner = shared_memory.SharedMemory(self.system_name)
            _untrack(self._owner)
        self.size = self._owner.size
        self.buf = self._owner.buf.toreadonly() if read_only else self._owner.buf

    def close(self):
        if self.buf is None:
            return
        if _ON_LINUX:
            try:
                self.buf.release()
                self._owner.close()
            except BufferError:
                self.buf = memoryview(self._owner)
                raise
            if self.file is not None:
                self.file.close()
        else:
            self._owner.close()
        self.buf = None


class _Attached:
    """A segment with a valid header. The checks and their order are those of shmkit itself."""

    def __init__(self, kind, name):
        self.kind = kind
        self.name = name
        try:
            # The mutex is mapped from the file, too.
            directory, system_name = _place(kind, name)
            self.segment = _Segment(system_name, keeps_file=True, directory=directory)
        except FileNotFoundError as error:
            raise FileNotFoundError(errno.ENOENT, self._missing(), error.filename) from None
        try:
            self._check()
        except BaseException:
            self.segment.close()
            raise

    @property
    def title(self):
        return f"{self.kind} '{self.name}'"

    def _missing(self):
        others = [
            kind
            for kind in _KINDS.values()
            if os.path.exists(os.path.join("/dev/shm", _system_name(kind, self.name)))
        ]
        there = f"; there is a {' and a '.join(others)} of that name" if others else ""
        return f"there is no {self.title}{there}"

    def corrupt(self, why):
        return Error("ERR_CORRUPT", f"{self.title} is not a valid object: {why}")

    def closed(self):
        return Error("ERR_CLOSED", f"{self.title} cannot be used: it was closed here")

    @property
    def is_closed(self):
        return self.segment.buf is None

    def close(self):
        self.segment.close()

    def _check(self):
        size = self.segment.size
        if size < _HEADER_BYTES:
            raise self.corrupt(f"it has {size} bytes, and its header alone needs {_HEADER_BYTES}")
        magic, version, kind, abi, at, whole, type_, length = _HEADER.unpack_from(self.segment.buf)
        if magic != b"SHMK":
            raise self.corrupt("it has no header of shmkit")
        if version != LAYOUT_VERSION:
            raise Error(
                "ERR_ABI_MISMATCH",
                f"{self.title} has layout version {version}, and this file reads {LAYOUT_VERSION}: "
                "use the shmkit.py of the shmkit version that made it",
            )
        if _KINDS.get(kind) != self.kind:
            other = _KINDS.get(kind, kind)
            raise Error("ERR_WRONG_KIND", f"'{self.name}' is a {other}, not of kind {self.kind}")
        (self.state,) = struct.unpack_from("=I", self.segment.buf, _STATE)
        if self.state not in (_LIVE, _DOOMED, _DEAD):
            raise self.corrupt("its creator has not finished it")
        if not _HEADER_BYTES <= at <= size or at % 64 != 0 or whole > size:
            raise self.corrupt("its header contradicts its size")
        self.abi, self.data_at, self.type, self.length = abi, at, type_, length
        self.whole = whole


def _attach_lock(name):
    while True:
        attached = _Attached("lock", name)
        if attached.state != _DEAD:
            return attached
        # Its last owner marked it dead, and is about to remove its name, or died before that.
        mutex = _Mutex.of(attached)
        attempt = _Attempt()
        try:
            mutex.clear(attached, time.monotonic() + 1, attempt)
        finally:
            mutex.give_back(attempt)
            mutex.let_go()
            attached.close()


class _Timespec(ctypes.Structure):
    _fields_ = [("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long)]


class _LibC:
    """The mutex functions of the C library of this process, and their ABI word."""

    MUTEX_BYTES = 64
    CLOCK_MONOTONIC = 1

    def __init__(self):
        libc = ctypes.CDLL(None, use_errno=True)
        is_glibc = hasattr(libc, "gnu_get_libc_version")
        is_64 = struct.calcsize("P") == 8
        machine = self._machine(is_64)
        mutex_bytes = 40 if is_64 else 24
        if is_glibc and is_64 and machine == 2:
            mutex_bytes = 48
        self.abi = 1 | (1 if is_glibc else 2) << 8 | machine << 16 | mutex_bytes << 24
        self.trylock = self._function(libc, "pthread_mutex_trylock")
        self.unlock = self._function(libc, "pthread_mutex_unlock")
        self.consistent = self._function(libc, "pthread_mutex_consistent")
        self.timedlock = libc.pthread_mutex_timedlock
        self.timedlock.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Timespec)]
        self.clocklock = None
        if hasattr(libc, "pthread_mutex_clocklock"):
            self.clocklock = libc.pthread_mutex_clocklock
            self.clocklock.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Timespec)]
        self.mmap = libc.mmap
        self.mmap.restype = ctypes.c_void_p
        self.mmap.argtypes = [
            ctypes.c_void_p,
            ctypes.c_size_t,
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_long,
        ]
        self.munmap = libc.munmap
        self.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        self._learn(libc)

    @staticmethod
    def _machine(is_64):
        name = platform.machine().lower()
        if name in ("x86_64", "amd64", "i386", "i686"):
            return 1 if is_64 else 3
        if name.startswith(("aarch64", "arm")):
            return 2 if is_64 else 4
        return 0

    @staticmethod
    def _function(libc, name):
        function = getattr(libc, name)
        function.argtypes = [ctypes.c_void_p]
        return function

    def _learn(self, libc):
        """Learns from a mutex that is made here where its words are."""
        attributes = (ctypes.c_char * 64)()
        # Kept for ever, in case this is interrupted while the thread holds it.
        self._model = mutex = (ctypes.c_char * self.MUTEX_BYTES)()
        libc.pthread_mutexattr_init(attributes)
        libc.pthread_mutexattr_settype(attributes, 0)
        libc.pthread_mutexattr_setpshared(attributes, 1)
        libc.pthread_mutexattr_setrobust(attributes, 1)
        libc.pthread_mutex_init(mutex, attributes)
        free = struct.unpack("=16I", mutex.raw)
        at = next((i for i, word in enumerate(free) if word != 0), 0)
        # The offset and value of the word that never changes.
        self.constant = 4 * at, free[at]
        self.trylock(ctypes.addressof(mutex))
        held = struct.unpack("=16I", mutex.raw)
        self.unlock(ctypes.addressof(mutex))
        # The offset of the word with the owner's id, in which a bit says that others wait.
        owner = threading.get_native_id()
        self.owner_at = 4 * next(i for i in range(16) if free[i] == 0 and held[i] == owner)


# Reentrant, because a signal handler may use a lock, too.
_the_guard = threading.RLock()


def _guard():
    """Guards the tables of this module, and which mutex an object uses."""
    return _the_guard


def _after_fork():
    global _the_guard
    _the_guard = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Attempt:
    """Whether the thread holds a mutex, whatever interrupts it.

    The results of the C calls are recorded by `extend`, which calls and records without a step of
    Python in between. An interrupt comes only between two steps.
    """

    def __init__(self, taken=False):
        self.locked = [0] if taken else []
        self.unlocked = []
        # Whether the last owner died, and this has been told to nobody else.
        self.has_news = False

    @property
    def is_held(self):
        return bool(self.locked) and self.locked[-1] in (0, errno.EOWNERDEAD) and not self.unlocked


class _Mutex:
    """A mutex in shared memory. A process has one for each object, at one address.

    When a thread ends, the system finds the mutexes that it holds by their addresses. So the memory
    of a mutex is mapped apart from the data, and Python does not unmap it when it ends.
    """

    ACQUIRED = "acquired"
    ABANDONED = "abandoned"
    GONE = "gone"

    _libc = None
    _known = {}
    # How long one wait in the C library takes, at most.
    _SLICE = 0.05
    _POLL = 0.001
    # After this time, a thread that locks again and again leaves the lock to those who sleep.
    _TURN = 0.01
    _WAITERS = 0x80000000

    @classmethod
    def of(cls, attached):
        """The mutex of an object. `let_go` gives it back."""
        with _guard():
            if not _ON_LINUX:
                raise Error("ENOTSUP", f"the lock of {attached.title} can be used on Linux only")
            if attached.is_closed:
                raise attached.closed()
            if cls._libc is None:
                cls._libc = _LibC()
            if attached.abi != cls._libc.abi:
                raise Error(
                    "ERR_ABI_MISMATCH",
                    f"{attached.title} was made with another C library or on another machine "
                    f"(ABI word {attached.abi:#x}, here {cls._libc.abi:#x}): "
                    "use programs of one C library",
                )
            mutex = cls._known.get(attached.segment.identity)
            if mutex is None:
                mutex = cls._known[attached.segment.identity] = cls(attached)
            mutex._users += 1
            return mutex

    def keep(self):
        """Keeps the mutex mapped until `let_go`. Returns False if it is not mapped any more."""
        with _guard():
            if self._users == 0:
                return False
            self._users += 1
            return True

    def __init__(self, attached):
        self._identity = attached.segment.identity
        self._users = 0
        self._owner = None
        self._turn_began = None
        protection = mmap.PROT_READ | mmap.PROT_WRITE
        size = mmap.PAGESIZE
        file = attached.segment.file.fileno()
        base = self._libc.mmap(None, size, protection, mmap.MAP_SHARED, file, 0)
        if base is None or base == ctypes.c_void_p(-1).value:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), attached.segment.path)
        self._base = base
        self._address = base + _MUTEX
        self._owner_word = self._word_at(_MUTEX + self._libc.owner_at)
        self._constant_word = self._word_at(_MUTEX + self._libc.constant[0])
        self._state, self._news = self._word_at(_STATE), self._word_at(_NEWS)
        self._releases, self._ended = self._word_at(_RELEASES), self._word_at(_ENDED)

    def _word_at(self, offset):
        return ctypes.c_uint32.from_address(self._base + offset)

    def let_go(self):
        with _guard():
            self._users -= 1
            # A thread of this process may hold it still, or may have ended while it held it.
            if self._users == 0 and self._owner is None:
                del self._known[self._identity]
                self._libc.munmap(self._base, mmap.PAGESIZE)

    def is_held_by(self, thread):
        # After a fork, the child's threads are others. A thread that has ended holds nothing.
        if self._owner != (os.getpid(), thread):
            return False
        return thread is threading.current_thread() or thread.is_alive()

    def acquire(self, attached, deadline, attempt):
        """Returns ACQUIRED, ABANDONED or GONE, or None when the time is over.

        deadline: a time of time.monotonic(), 0 not to wait, None to wait without a limit.
        """
        if self.is_held_by(threading.current_thread()):
            raise Error("ERR_DEADLOCK", f"{attached.title} is held by this thread already")
        result = self._lock(attached, deadline, attempt)
        if attempt.is_held:
            return self._settle(attached, attempt)
        self._check_end(attached)
        if result == errno.ETIMEDOUT:
            return None
        if self._state.value == _DEAD:
            return self.GONE
        raise attached.corrupt(f"its mutex cannot be acquired ({os.strerror(result)})")

    def release(self, attached, attempt):
        if self._state.value == _DOOMED:
            self._finish(attached)
        is_awaited = self._owner_word.value & self._WAITERS != 0
        if is_awaited:
            self._releases.value += 1
        self._unlock(attempt)
        now, began = time.monotonic(), self._turn_began
        if not is_awaited or began is None:
            self._turn_began = now
        elif now - began > self._TURN:
            time.sleep(self._POLL)
            self._turn_began = None

    def give_back(self, attempt):
        """Unlocks what the attempt has locked, unless that was done. For interrupts."""
        if not attempt.is_held:
            return
        if attempt.locked[-1] == errno.EOWNERDEAD:
            self._libc.consistent(self._address)
            attempt.has_news = True
        if attempt.has_news:
            self._news.value = 1
        self._unlock(attempt)

    def clear(self, attached, deadline, attempt):
        """Removes the name of a dead object. The caller gives the mutex back."""
        result = self._lock(attached, deadline, attempt)
        if result == errno.ETIMEDOUT:
            raise OSError(errno.EBUSY, "the name is being removed", attached.name)
        if not attempt.is_held:
            if not self._remove_name(attached):
                raise attached.corrupt("its mutex is unusable, and its name cannot be removed")
        elif self._state.value == _DEAD:
            self._finish(attached)

    def _settle(self, attached, attempt):
        if attempt.locked[-1] == errno.EOWNERDEAD:
            self._libc.consistent(self._address)
            self._news.value = 1
        self._owner = (os.getpid(), threading.current_thread())
        state = self._state.value
        ended = self._ended.value != 0
        if state == _DOOMED and (self._finish(attached) or ended):
            state = _DEAD
        if state == _DEAD or ended:
            self._unlock(attempt)
            self._check_end(attached)
            return self.GONE
        if self._news.value == 0:
            return self.ACQUIRED
        attempt.has_news = True
        self._news.value = 0
        return self.ABANDONED

    def _finish(self, attached):
        """Marks a doomed object dead, and removes its name. The caller holds the lock."""
        self._state.value = _DEAD
        if self._remove_name(attached):
            return True
        # Without a name to be removed the object would block the name for ever.
        self._state.value = _DOOMED if self._ended.value != 0 else _LIVE
        return False

    @staticmethod
    def _remove_name(attached):
        path, identity = attached.segment.path, attached.segment.identity
        try:
            found = os.stat(path, follow_symlinks=False)
            if (found.st_dev, found.st_ino) == identity:
                os.unlink(path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def _check_end(self, attached):
        if self._ended.value != 0:
            raise Error(
                "ERR_SHUTDOWN",
                f"{attached.title} has ended together with the manager that made it",
            )

    def _lock(self, attached, deadline, attempt):
        if self._constant_word.value != self._libc.constant[1]:
            raise attached.corrupt("its mutex was overwritten")
        libc, locked = self._libc, attempt.locked
        while True:
            locked.extend(map(libc.trylock, (self._address,)))
            if locked[-1] != errno.EBUSY:
                return locked[-1]
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                return errno.ETIMEDOUT
            self._check_end(attached)
            if attached.is_closed:
                raise attached.closed()
            # Slices, so that Ctrl-C, the end of a manager and closing are noticed.
            span = self._SLICE if deadline is None else min(self._SLICE, deadline - now)
            if libc.clocklock is not None:
                until = ctypes.byref(self._timespec(now + span))
                clock = libc.CLOCK_MONOTONIC
                locked.extend(map(libc.clocklock, (self._address,), (clock,), (until,)))
            else:
                # By a clock that can be set: then this slice is shorter or longer.
                until = ctypes.byref(self._timespec(time.time() + span))
                locked.extend(map(libc.timedlock, (self._address,), (until,)))
            if locked[-1] != errno.ETIMEDOUT:
                return locked[-1]
            locked.clear()

    @staticmethod
    def _timespec(seconds):
        whole, part = divmod(seconds, 1)
        return _Timespec(int(whole), int(part * 1e9))

    def _unlock(self, attempt):
        self._owner = None
        attempt.unlocked.extend(map(self._libc.unlock, (self._address,)))
