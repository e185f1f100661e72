"""What CPython's multiprocessing takes for the same work.

python3 peers.py <row> <count> [prefix of names] prints the nanoseconds of one operation.
"""

import multiprocessing
import sys
import time
from multiprocessing.shared_memory import SharedMemory
from time import perf_counter_ns as now

SIZE = 4096
PROCESSES = 4
context = multiprocessing.get_context("fork")


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
    if value.value != total:
        sys.exit(f"increments were lost: {total - value.value}")
    return (max(ends) - min(starts)) / total


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


ROWS = {
    "lock": lock,
    "lock-with": lock_with,
    "increment": increment,
    "create": create,
    "attach": attach,
}

if __name__ == "__main__":
    row, operations = sys.argv[1], int(sys.argv[2])
    names = sys.argv[3] if len(sys.argv) > 3 else "peers"
    print(ROWS[row](operations, names))
