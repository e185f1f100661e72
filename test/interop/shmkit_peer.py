"""Evaluates what a test asks for, one expression or statement a line, and answers by one line each.

An answer is {"value": …}, or {"error": the class, "code": …, "message": …}. A line that begins with
"begin " is answered at once by "begun", and by its result when that is there.
"""

import json
import os
import signal
import sys
import threading
import time

import shmkit

names = {"os": os, "shmkit": shmkit, "signal": signal, "threading": threading, "time": time}


def say(what):
    print(json.dumps(what), flush=True)


def result_of(source):
    try:
        return {"value": eval(source, names)}
    except SyntaxError:
        exec(source, names)
        return {"value": None}


for line in sys.stdin:
    source = json.loads(line)
    try:
        if source.startswith("begin "):
            source = source[len("begin ") :]
            say("begun")
        said = result_of(source)
    except BaseException as error:
        code = getattr(error, "code", None)
        said = {"error": type(error).__name__, "code": code, "message": str(error)}
    say(said)
