"""The peer process: uses Python's own shared_memory. Communicates line by line, as the other fixtures do."""

import json
import sys
from multiprocessing import resource_tracker, shared_memory


def say(what):
    print(json.dumps(what), flush=True)


def attach(name):
    memory = shared_memory.SharedMemory(name=name)
    # Before version 3.13, Python unlinks memory that it has attached to when the process ends.
    resource_tracker.unregister(memory._name, "shared_memory")
    return memory


role, name = sys.argv[1:3]
if role == "attach":
    memory = attach(name)
    say({"size": memory.size, "found": list(memory.buf[:4])})
    memory.buf[0] = 200
    say("changed")
    sys.stdin.readline()
    say({"found": list(memory.buf[:4])})
    memory.close()
elif role == "create":
    memory = shared_memory.SharedMemory(name=name, create=True, size=1000)
    memory.buf[:3] = b"abc"
    say({"name": memory.name, "size": memory.size})
    sys.stdin.readline()
    say({"found": list(memory.buf[:4])})
    sys.stdin.readline()
    memory.close()
    memory.unlink()
    say("unlinked")
