"""Scales an array that Node made to a mean of 0 and a standard deviation of 1, where it lies."""

import sys

import shmkit

with shmkit.SharedArray(sys.argv[1], "float64") as shared:
    with shared.lock:
        shared.array -= shared.array.mean()
        shared.array /= shared.array.std()
    print(f"python3 scaled {len(shared)} numbers in place")
