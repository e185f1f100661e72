"""The same in Python as test/fixtures/interop/counter.ts, which says what the words are."""

import json
import sys
import time

import shmkit

name, slot, own_id = (json.loads(arg) for arg in sys.argv[1:])
words = shmkit.SharedMemory(name).buf.cast("i")
counts = words[8:]
lock = shmkit.NamedLock(name)


def fail():
    words[1] += 1


def count():
    if lock.abandoned:
        words[3] += 1
        words[0] = 0
        words[2] = sum(counts)
    if words[0] != 0 or words[2] != sum(counts):
        fail()
    words[0] = own_id
    counts[slot] += 1
    for _ in range(2000):
        if words[0] != own_id:
            fail()
    words[2] += 1
    words[0] = 0


print(json.dumps("counting"), flush=True)
turn = own_id
while True:
    turn += 1
    if turn % 3 == 0:
        if lock.acquire(timeout=0.001):
            count()
            lock.release()
    else:
        with lock:
            count()
    if turn % 2 == 0:
        time.sleep(0.001)
