"""The peer process: uses numpy on a SharedArray. Reads one command per line and answers each with one line.

Elements are sent as the hexadecimal digits of their bytes, so that each element keeps all its bits.
"""

import json
import sys

import numpy
import shmkit

shared = None


def answer(verb, *args):
    global shared
    if verb == "attach":
        shared = shmkit.SharedArray(*args)
        return [str(shared.array.dtype), shared.array.size]
    if verb == "read":
        return shared.array.tobytes().hex()
    if verb == "write":
        values = bytes.fromhex(args[0])
        shared.array[:] = numpy.frombuffer(values, shared.array.dtype)
        return None
    if verb == "reverse":
        shared.array[:] = shared.array[::-1].copy()
        return None
    if verb == "double":
        shared.array *= 2
        return None
    if verb == "close":
        shared.close()
        return None


for line in sys.stdin:
    try:
        said = answer(*json.loads(line))
    except Exception as error:
        said = {"error": type(error).__name__, "message": str(error)}
    print(json.dumps(said), flush=True)
