"""The peer process: uses CPython's own ShareableList. Reads one command per line and answers each with one line.

Values are sent as [type, text], so that an int stays an int and a float keeps all its bits.
"""

import json
import sys
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import ShareableList


def decode(tagged):
    kind, text = tagged
    if kind == "int":
        return int(text)
    if kind == "float":
        return float.fromhex(text)
    if kind == "bytes":
        return bytes.fromhex(text)
    return {"str": text, "bool": text == "true", "None": None}[kind]


def encode(value):
    if value is None:
        return ["None", ""]
    if isinstance(value, bool):
        return ["bool", "true" if value else "false"]
    if isinstance(value, int):
        return ["int", str(value)]
    if isinstance(value, float):
        return ["float", value.hex()]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    return ["str", value]


shared = None


def answer(verb, *args):
    global shared
    if verb == "create":
        name, values = args
        shared = ShareableList([decode(value) for value in values], name=name)
        return bytes(shared.shm.buf).hex()
    if verb == "attach":
        shared = ShareableList(name=args[0])
        # Before version 3.13, Python unlinks memory that it has attached to when the process ends.
        resource_tracker.unregister(shared.shm._name, "shared_memory")
        return len(shared)
    if verb == "get":
        return encode(shared[args[0]])
    if verb == "all":
        return [encode(value) for value in shared]
    if verb == "set":
        shared[args[0]] = decode(args[1])
        return shared.format
    if verb == "format":
        return shared.format
    if verb == "close":
        shared.shm.close()
        return None
    if verb == "unlink":
        shared.shm.close()
        shared.shm.unlink()
        return None


for line in sys.stdin:
    try:
        said = answer(*json.loads(line))
    except Exception as error:
        said = {"error": type(error).__name__}
    print(json.dumps(said), flush=True)
