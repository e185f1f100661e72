"""Measures how long CPython's multiprocessing takes for the same work.

python3 peers.py <row> <count> [prefix of names] prints the time of one operation in nanoseconds.
"""

import multiprocessing
import sys
import time
from multiprocessing.shared_memory import ShareableList, SharedMemory
from statistics import median
from time import perf_counter_ns as now

SIZE = 4096
PROCESSES = 4
ELEMENTS = 1000
ITEMS = 100
context = multiprocessing.get_context("fork")


def expect(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: {found} and not {expected}")


def lock(count, _prefix):
    mutex = context.Lock()
    start = now()
    for _ in range(count):
        mutex.acquire()
        mutex.release()
    return (now() - start) / count


def lock_with(count, _prefix):
    mutex = context.Lock()
    start = now()
    for _ in range(count):
        with mutex:
            pass
    return (now() - start) / count


def semaphore(count, _prefix):
    permits = context.Semaphore(1)
    start = now()
    for _ in range(count):
        permits.acquire()
        permits.release()
    return (now() - start) / count


def rlock(count, _prefix):
    """This thread holds the lock all the time. Each iteration acquires it again."""
    mutex = context.RLock()
    with mutex:
        start = now()
        for _ in range(count):
            mutex.acquire()
            mutex.release()
        return (now() - start) / count


def increment_in_child(value, ready, begin, starts, ends, process, count):
    with ready.get_lock():
        ready.value += 1
    while begin.value == 0:
        time.sleep(0.0002)
    time.sleep(max(begin.value - time.monotonic_ns(), 0) / 1e9)
    starts[process] = time.monotonic_ns()
    for _ in range(count):
        with value.get_lock():
            value.value += 1
    ends[process] = time.monotonic_ns()


def increment(count, _prefix):
    value, ready, begin = (context.Value("q", 0) for _ in range(3))
    starts, ends = (context.Array("q", PROCESSES, lock=False) for _ in range(2))
    children = [
        context.Process(
            target=increment_in_child,
            args=(value, ready, begin, starts, ends, process, count),
            daemon=True,
        )
        for process in range(PROCESSES)
    ]
    for child in children:
        child.start()
    while ready.value < PROCESSES:
        time.sleep(0.0002)
    begin.value = time.monotonic_ns() + 20_000_000
    for child in children:
        child.join()
    total = count * PROCESSES
    expect("increments", value.value, total)
    return (max(ends) - min(starts)) / total


# Processes that wait for each other. Each *_sides function returns the two sides of a round trip: the function for
# the measuring process, and the function for the other one.


def event_sides():
    ping, pong = context.Event(), context.Event()

    def there():
        ping.set()
        pong.wait()
        pong.clear()

    def back():
        ping.wait()
        ping.clear()
        pong.set()

    return there, back


def semaphore_sides():
    ping, pong = context.Semaphore(0), context.Semaphore(0)

    def there():
        ping.release()
        pong.acquire()

    def back():
        ping.acquire()
        pong.release()

    return there, back


def condition_sides():
    condition = context.Condition()
    turn = context.Value("i", 0, lock=False)

    def there():
        with condition:
            turn.value = 1
            condition.notify()
            condition.wait_for(lambda: turn.value == 0)

    def back():
        with condition:
            condition.wait_for(lambda: turn.value == 1)
            turn.value = 0
            condition.notify()

    return there, back


def ping_pong(sides):
    def measure(count, _prefix):
        there, back = sides()
        uncounted = count // 10 + 1
        trips = context.Value("i", 0, lock=False)

        def answer():
            for _ in range(uncounted + count):
                trips.value += 1
                back()

        child = context.Process(target=answer, daemon=True)
        child.start()
        for _ in range(uncounted):
            there()
        start = now()
        for _ in range(count):
            there()
        end = now()
        expect("trips", trips.value, uncounted + count)
        child.join()
        return (end - start) / count

    return measure


def barrier(count, _prefix):
    meeting = context.Barrier(PROCESSES)
    came = context.Array("i", PROCESSES, lock=False)

    def attend(process, rounds):
        for _ in range(rounds):
            came[process] += 1
            meeting.wait()

    uncounted = count // 10 + 1
    children = [
        context.Process(target=attend, args=(process, uncounted + count), daemon=True)
        for process in range(1, PROCESSES)
    ]
    for child in children:
        child.start()
    attend(0, uncounted)
    start = now()
    attend(0, count)
    end = now()
    expect("rounds", list(came), [uncounted + count] * PROCESSES)
    for child in children:
        child.join()
    return (end - start) / count


def add(typecode, delta):
    def measure(count, _prefix):
        value = context.Value(typecode, 0)
        start = now()
        for _ in range(count):
            with value.get_lock():
                value.value += delta
        end = now()
        expect("sum", value.value, count * delta)
        return (end - start) / count

    return measure


def value_read(lock):
    def measure(count, _prefix):
        value = context.Value("i", 1, lock=lock)
        start = now()
        for _ in range(count):
            value.value
        return (now() - start) / count

    return measure


def value_write(lock):
    def measure(count, _prefix):
        value = context.Value("i", 0, lock=lock)
        start = now()
        for turn in range(count):
            value.value = turn
        end = now()
        expect("value", value.value, count - 1)
        return (end - start) / count

    return measure


def array_at(lock):
    def measure(count, _prefix):
        array = context.Array("d", ELEMENTS, lock=lock)
        start = now()
        for _ in range(count // ELEMENTS):
            for index in range(ELEMENTS):
                array[index]
        return (now() - start) / (count // ELEMENTS * ELEMENTS)

    return measure


def array_set(lock):
    def measure(count, _prefix):
        array = context.Array("d", ELEMENTS, lock=lock)
        start = now()
        for _ in range(count // ELEMENTS):
            for index in range(ELEMENTS):
                array[index] = index
        end = now()
        expect("elements", list(array), list(range(ELEMENTS)))
        return (end - start) / (count // ELEMENTS * ELEMENTS)

    return measure


def list_get(count, prefix):
    items = ShareableList(range(ITEMS), name=f"{prefix}-python")
    try:
        start = now()
        for _ in range(count // ITEMS):
            for index in range(ITEMS):
                items[index]
        return (now() - start) / (count // ITEMS * ITEMS)
    finally:
        items.shm.close()
        items.shm.unlink()


def list_set(count, prefix):
    items = ShareableList([0] * ITEMS, name=f"{prefix}-python")
    try:
        start = now()
        for _ in range(count // ITEMS):
            for index in range(ITEMS):
                items[index] = index
        end = now()
        expect("elements", list(items), list(range(ITEMS)))
        return (end - start) / (count // ITEMS * ITEMS)
    finally:
        items.shm.close()
        items.shm.unlink()


def dict_get(count, _prefix):
    with context.Manager() as manager:
        entries = manager.dict({f"key {i}": i for i in range(ITEMS)})
        start = now()
        for i in range(count):
            entries[f"key {i % ITEMS}"]
        return (now() - start) / count


def dict_set(count, _prefix):
    with context.Manager() as manager:
        entries = manager.dict({f"key {i}": i for i in range(ITEMS)})
        start = now()
        for i in range(count):
            entries[f"key {i % ITEMS}"] = i
        return (now() - start) / count


def dict_large(mebibytes, is_read):
    """A numpy array as the value of a dict; reading also sums it up."""

    def row(count, _prefix):
        import numpy

        length = (mebibytes << 20) // 8
        value = numpy.full(length, 1.0)
        with context.Manager() as manager:
            entries = manager.dict({"0": value})
            total = 0.0
            start = now()
            for _ in range(count):
                if is_read:
                    total += float(entries["0"].sum())
                else:
                    entries["0"] = value
            span = (now() - start) / count
            expect("the sum", total, float(count * length) if is_read else 0.0)
            return span

    return row


def manager_list_get(count, _prefix):
    with context.Manager() as manager:
        items = manager.list(range(ITEMS))
        start = now()
        for i in range(count):
            items[i % ITEMS]
        return (now() - start) / count


def manager_list_append(count, _prefix):
    with context.Manager() as manager:
        items = manager.list()
        start = now()
        for i in range(count):
            items.append(i)
        end = now()
        expect("length", len(items), count)
        return (end - start) / count


def queue_one_way(size):
    def measure(count, _prefix):
        there, back = context.Queue(1000), context.Queue()
        message = "x" * size if size < 1000 else bytes(size)
        uncounted = count // 10 + 1

        def consume():
            for _ in range(uncounted):
                there.get()
            back.put("warm")
            for _ in range(count):
                there.get()
            back.put("done")

        child = context.Process(target=consume, daemon=True)
        child.start()
        for _ in range(uncounted):
            there.put(message)
        back.get()
        start = now()
        for _ in range(count):
            there.put(message)
        back.get()
        end = now()
        child.join()
        return (end - start) / count

    return measure


def queue_trip(count, _prefix):
    there, back = context.Queue(), context.Queue()
    uncounted = count // 10 + 1

    def answer():
        for _ in range(uncounted + count):
            back.put(there.get())

    child = context.Process(target=answer, daemon=True)
    child.start()
    for i in range(uncounted + count):
        if i == uncounted:
            start = now()
        there.put("x" * 8)
        back.get()
    end = now()
    child.join()
    return (end - start) / count


def create(count, prefix):
    start = now()
    for _ in range(count):
        memory = SharedMemory(name=f"{prefix}-python", create=True, size=SIZE)
        memory.close()
        memory.unlink()
    return (now() - start) / count


def attach(count, prefix):
    created = SharedMemory(name=f"{prefix}-python", create=True, size=SIZE)
    try:
        start = now()
        for _ in range(count):
            SharedMemory(name=created.name).close()
        return (now() - start) / count
    finally:
        created.close()
        created.unlink()


def sum_shared(name, length):
    import numpy

    memory = SharedMemory(name=name)
    array = numpy.ndarray(length, "float64", memory.buf)
    found = float(array.sum())
    del array
    memory.close()
    return found


def handoff(size, is_shared):
    """A new numpy array is made and filled, and a worker of a Pool sums it up."""

    def row(count, prefix):
        import numpy

        length = size // 8
        spans = []
        with context.Pool(1) as pool:
            for i in range(count + 1):
                start = now()
                if is_shared:
                    memory = SharedMemory(name=f"{prefix}-python", create=True, size=size)
                    array = numpy.ndarray(length, "float64", memory.buf)
                    array.fill(i)
                    found = pool.apply(sum_shared, (memory.name, length))
                    del array
                    memory.close()
                    memory.unlink()
                else:
                    found = float(pool.apply(numpy.sum, (numpy.full(length, float(i)),)))
                if i > 0:
                    spans.append(now() - start)
                expect("the sum", found, float(i * length))
        return median(spans)

    return row


SIZES = [1 << 10, 1 << 16, 1 << 20, 1 << 26, 1 << 29]

ROWS = {
    "lock": lock,
    "lock-with": lock_with,
    "semaphore": semaphore,
    "rlock": rlock,
    "increment": increment,
    "event": ping_pong(event_sides),
    "semaphore-trip": ping_pong(semaphore_sides),
    "condition": ping_pong(condition_sides),
    "barrier": barrier,
    "add-int32": add("i", 1),
    "add-int64": add("q", 1),
    "add-float64": add("d", 0.5),
    "value-read": value_read(True),
    "value-read-unlocked": value_read(False),
    "value-write": value_write(True),
    "value-write-unlocked": value_write(False),
    "array-at": array_at(True),
    "array-at-unlocked": array_at(False),
    "array-set": array_set(True),
    "array-set-unlocked": array_set(False),
    "list-get": list_get,
    "list-set": list_set,
    "dict-get": dict_get,
    "dict-set": dict_set,
    **{f"dict-get-{mebibytes}": dict_large(mebibytes, True) for mebibytes in (1, 64)},
    **{f"dict-set-{mebibytes}": dict_large(mebibytes, False) for mebibytes in (1, 64)},
    "manager-list-get": manager_list_get,
    "manager-list-append": manager_list_append,
    "queue-small": queue_one_way(64),
    "queue-large": queue_one_way(1 << 20),
    "queue-trip": queue_trip,
    "create": create,
    "attach": attach,
    **{f"handoff-pool-{size}": handoff(size, False) for size in SIZES},
    **{f"handoff-shared-{size}": handoff(size, True) for size in SIZES},
}

if __name__ == "__main__":
    row, operations = sys.argv[1], int(sys.argv[2])
    names = sys.argv[3] if len(sys.argv) > 3 else "peers"
    print(ROWS[row](operations, names))
