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
can be used on all systems that shmkit supports.

The layout is described in docs/memory-layout.md.
"""

import ctypes
import errno
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
_STATE, _NEWS, _MUTEX, _ENDED = 64, 68, 72, 136
_LIVE, _DOOMED, _DEAD = 1, 2, 3

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
        "shareable-list": shareable_list,
    }
    kind, name = handle["shmkit"], handle["name"]
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

    Raises FileNotFoundError if there is none of that name, and PermissionError.
    """

    def __init__(self, name):
        self.name = name
        self._segment = _Segment(_system_name("memory", name))

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
    """

    def __init__(self, attached):
        self._attached = attached
        self._mutex = _Mutex.of(attached)
        # The thread that has acquired the lock by this object last.
        self._holder = None
        self.abandoned = False

    @property
    def name(self):
        """The name of the object that the lock belongs to."""
        return self._attached.name

    @property
    def held(self):
        """Whether this thread holds the lock."""
        return self._mutex is not None and self._mutex.is_held_here()

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
            attached, mutex = self._attached, self._mutex
            # Other threads may close this object meanwhile.
            if mutex is None or not mutex.use():
                raise attached.closed()
            try:
                got = mutex.acquire(attached, deadline)
            finally:
                mutex.let_go()
            if got is None:
                return False
            if got is not _Mutex.GONE:
                self._holder = threading.current_thread()
                self.abandoned = got is _Mutex.ABANDONED
                return True
            self._reopen(attached)

    def release(self):
        """Releases the lock. Raises Error `ERR_NOT_HELD` if this thread does not hold it."""
        if not self.held:
            raise Error("ERR_NOT_HELD", f"{self._attached.title} is not held by this thread")
        self._mutex.release()

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *_):
        self.release()

    def _reopen(self, attached):
        raise FileNotFoundError(errno.ENOENT, "the object was unlinked", self.name)

    def _close(self):
        if self._mutex is None:
            return
        if self._holder is not None and self._mutex.is_held_by(self._holder):
            raise Error("EBUSY", f"{self._attached.title} is held; release it first")
        self._mutex.let_go()
        self._mutex = None


class NamedLock(Lock):
    """A lock with a name of its own: shmkit's NamedLock.

    `with NamedLock(name) as lock` acquires the lock and releases it. The lock stays attached until
    `close()`; a lock that is used for the life of the program needs none.

    Raises FileNotFoundError if there is none of that name, PermissionError, and Error
    `ERR_ABI_MISMATCH`, `ERR_CORRUPT` if this program cannot use what has the name.
    """

    def __init__(self, name):
        super().__init__(_attach_lock(name))
        self._reopening = threading.Lock()

    def close(self):
        """Detaches. Raises Error `EBUSY` while a thread holds the lock by this object."""
        self._close()
        self._attached.close()

    # An unlinked lock is gone, and the name may lead to a new one.
    def _reopen(self, attached):
        with self._reopening:
            if self._attached is not attached or self._mutex is None:
                return
            new = _attach_lock(attached.name)
            mutex = _Mutex.of(new)
            self._mutex.let_go()
            attached.close()
            self._attached, self._mutex = new, mutex


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
            self._bytes = self._attached.segment.buf[at : at + bytes_]
        except BaseException:
            self._attached.close()
            raise
        self._lock = None

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
            self._lock._close()
        self._release()
        self._attached.close()

    def _release(self):
        self._bytes.release()


class SharedArray(_Typed):
    """An array of numbers: shmkit's SharedArray. Nothing is copied.

    `array` is a numpy array, or a memoryview where numpy is not installed. `view` is a memoryview.
    dtype: if given, an array of any other type is a TypeError.
    """

    def __init__(self, name, dtype=None):
        super().__init__("array", name)
        numpy = _numpy()
        is_other = dtype is not None and str(dtype) != self.type
        if is_other and not (numpy and numpy.dtype(dtype) == numpy.dtype(self.type)):
            self.close()
            raise TypeError(f"array '{name}' has elements of {self.type}, not {dtype}")
        self.view = self._bytes.cast(self._format) if len(self._bytes) > 0 else self._bytes
        self.array = numpy.frombuffer(self._bytes, self.type) if numpy else self.view

    def __len__(self):
        return len(self.view)

    def _release(self):
        self.array = None
        view, self.view = getattr(self, "view", None), None
        if view is not None:
            view.release()
        super()._release()


class SharedValue(_Typed):
    """A number: shmkit's SharedValue.

    To read or to assign `value` is one access. `shared.value += 1` is two, so hold the lock for it,
    in Node too (`update()` does so, `add()` does not). Who waits for a change in Node notices it
    within a fraction of a second.
    """

    _cell = None

    def __init__(self, name):
        super().__init__("value", name)
        if self._attached.length != 1:
            self.close()
            raise self._attached.corrupt(f"it has {self._attached.length} numbers")
        self._cell = self._bytes.cast(self._format)

    @property
    def value(self):
        """The number: an int, or a float for the types float32 and float64."""
        return self._cell[0]

    @value.setter
    def value(self, value):
        self._cell[0] = value

    def _release(self):
        if self._cell is not None:
            self._cell.release()
        super()._release()


def shareable_list(name):
    """Attaches to a ShareableList. Unlike with Python's own class, it stays when Python ends.

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


def _untrack(segment):
    """CPython takes what it attached to for its own, and would unlink it when it ends."""
    from multiprocessing import resource_tracker

    if os.name == "posix":
        resource_tracker.unregister(segment._name, "shared_memory")
        segment._track = False


class _Segment:
    """A mapped file of shared memory, and which file it is."""

    def __init__(self, system_name, keeps_file=False):
        self.system_name = system_name
        self.path = None
        if not _ON_LINUX:
            self._map_by_python()
            return
        if system_name in ("", ".", "..") or "/" in system_name or "\0" in system_name:
            raise ValueError(f"{system_name!r} cannot be a name")
        self.path = os.path.join("/dev/shm", system_name)
        file = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            found = os.fstat(file)
            if found.st_size == 0:
                raise Error("ERR_CORRUPT", f"'{system_name}' is empty: its creator may have died")
            self.identity = (found.st_dev, found.st_ino)
            self._owner = mmap.mmap(file, found.st_size)
            self.file = os.dup(file) if keeps_file else None
        finally:
            os.close(file)
        self.size = found.st_size
        self.buf = memoryview(self._owner)

    def _map_by_python(self):
        from multiprocessing import shared_memory

        if sys.version_info >= (3, 13):
            self._owner = shared_memory.SharedMemory(self.system_name, track=False)
        else:
            self._owner = shared_memory.SharedMemory(self.system_name)
            _untrack(self._owner)
        self.size = self._owner.size
        self.buf = self._owner.buf

    def close(self):
        if self.buf is None:
            return
        if _ON_LINUX:
            self.buf.release()
            try:
                self._owner.close()
            except BufferError:
                self.buf = memoryview(self._owner)
                raise
            if self.file is not None:
                os.close(self.file)
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
            self.segment = _Segment(_system_name(kind, name), keeps_file=True)
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


def _attach_lock(name):
    while True:
        attached = _Attached("lock", name)
        if attached.state != _DEAD:
            return attached
        # Its last owner marked it dead, and is about to remove its name, or died before that.
        mutex = _Mutex.of(attached)
        try:
            mutex.clear(attached, time.monotonic() + 1)
        finally:
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
        mutex = (ctypes.c_char * self.MUTEX_BYTES)()
        libc.pthread_mutexattr_init(attributes)
        libc.pthread_mutexattr_settype(attributes, 0)
        libc.pthread_mutexattr_setpshared(attributes, 1)
        libc.pthread_mutexattr_setrobust(attributes, 1)
        libc.pthread_mutex_init(mutex, attributes)
        words = struct.unpack("=16I", mutex.raw)
        at = next((i for i, word in enumerate(words) if word != 0), 0)
        # The offset and value of the word that never changes.
        self.constant = 4 * at, words[at]
        self.trylock(ctypes.addressof(mutex))
        words = struct.unpack("=16I", mutex.raw)
        self.unlock(ctypes.addressof(mutex))
        # The offset of the word with the owner's id, by which the kernel finds dead owners.
        self.owner_at = 4 * words.index(threading.get_native_id())


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
    _guard = threading.Lock()
    # The wait ends now and then, so that Ctrl-C and the end of a manager are noticed.
    _SLICE = 0.05
    _POLL = 0.001
    # After this time, a thread that locks again and again leaves the lock to those who sleep.
    _TURN = 0.01
    _OWNER_MASK = 0x3FFFFFFF
    _WAITERS = 0x80000000

    @classmethod
    def of(cls, attached):
        """The mutex of an object. `let_go` gives it back."""
        with cls._guard:
            if not _ON_LINUX:
                raise Error("ENOTSUP", f"the lock of {attached.title} can be used on Linux only")
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

    def use(self):
        """Keeps the mutex mapped until `let_go`. Returns False if it is not mapped any more."""
        with self._guard:
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
        base = self._libc.mmap(None, size, protection, mmap.MAP_SHARED, attached.segment.file, 0)
        if base is None or base == ctypes.c_void_p(-1).value:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), attached.segment.path)
        self._base = base
        self._address = base + _MUTEX
        self._owner_word = self._word_at(_MUTEX + self._libc.owner_at)
        self._constant_word = self._word_at(_MUTEX + self._libc.constant[0])
        self._state, self._news = self._word_at(_STATE), self._word_at(_NEWS)
        self._ended = self._word_at(_ENDED)

    def _word_at(self, offset):
        return ctypes.c_uint32.from_address(self._base + offset)

    def let_go(self):
        with self._guard:
            self._users -= 1
            # A thread of this process may hold it still, or may have ended while it held it.
            if self._users == 0 and self._owner is None:
                del self._known[self._identity]
                self._libc.munmap(self._base, mmap.PAGESIZE)

    def is_held_here(self):
        return self.is_held_by(threading.current_thread())

    def is_held_by(self, thread):
        # After a fork, the child's threads are others. A thread that has ended holds nothing.
        return self._owner == (os.getpid(), thread) and thread.is_alive()

    def acquire(self, attached, deadline):
        """Returns ACQUIRED, ABANDONED or GONE, or None when the time is over.

        deadline: a time of time.monotonic(), 0 not to wait, None to wait without a limit.
        """
        if self.is_held_here():
            raise Error("ERR_DEADLOCK", f"{attached.title} is held by this thread already")
        try:
            result = self._lock(attached, deadline)
            if result == errno.EOWNERDEAD:
                self._libc.consistent(self._address)
                self._news.value = 1
            if result in (0, errno.EOWNERDEAD):
                self._owner = (os.getpid(), threading.current_thread())
                return self._settle(attached)
        except BaseException:
            self._give_back()
            raise
        self._check_end(attached)
        if result == errno.ETIMEDOUT:
            return None
        if self._state.value == _DEAD:
            return self.GONE
        raise attached.corrupt(f"its mutex cannot be acquired ({os.strerror(result)})")

    def _give_back(self):
        """For Ctrl-C at any moment, also just after the lock was acquired."""
        if self._owner_word.value & self._OWNER_MASK != threading.get_native_id():
            return
        # This tells whether the last owner died.
        if self._libc.consistent(self._address) == 0:
            self._news.value = 1
        self._unlock()

    def release(self):
        is_awaited = self._owner_word.value & self._WAITERS != 0
        self._unlock()
        now = time.monotonic()
        if not is_awaited or self._turn_began is None:
            self._turn_began = now
        elif now - self._turn_began > self._TURN:
            time.sleep(self._POLL)
            self._turn_began = None

    def clear(self, attached, deadline):
        """Removes the name of a dead object."""
        result = self._lock(attached, deadline)
        if result == errno.ETIMEDOUT:
            raise OSError(errno.EBUSY, "the name is being removed", attached.name)
        if result not in (0, errno.EOWNERDEAD):
            self._remove_name(attached)
            return
        if result == errno.EOWNERDEAD:
            self._libc.consistent(self._address)
        self._owner = (os.getpid(), threading.current_thread())
        try:
            if self._state.value == _DEAD:
                self._finish(attached)
        finally:
            self._unlock()

    def _settle(self, attached):
        state = self._state.value
        ended = self._ended.value != 0
        if state == _DOOMED and (self._finish(attached) or ended):
            state = _DEAD
        if state == _DEAD or ended:
            self._unlock()
            self._check_end(attached)
            return self.GONE
        if self._news.value == 0:
            return self.ACQUIRED
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

    def _lock(self, attached, deadline):
        if self._constant_word.value != self._libc.constant[1]:
            raise attached.corrupt("its mutex was overwritten")
        while True:
            result = self._libc.trylock(self._address)
            if result != errno.EBUSY:
                return result
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                return errno.ETIMEDOUT
            self._check_end(attached)
            if attached.is_closed:
                raise attached.closed()
            until = now + self._SLICE if deadline is None else min(now + self._SLICE, deadline)
            if self._libc.clocklock is None:
                time.sleep(self._POLL)
                continue
            whole, part = divmod(until, 1)
            limit = _Timespec(int(whole), int(part * 1e9))
            clock = self._libc.CLOCK_MONOTONIC
            result = self._libc.clocklock(self._address, clock, ctypes.byref(limit))
            if result != errno.ETIMEDOUT:
                return result

    def _unlock(self):
        self._owner = None
        self._libc.unlock(self._address)
