"""Scales an array that Node made to a mean of 0 and a standard deviation of 1, where it lies."""

import sys

import shmkit_array

with shmkit_array.attach(sys.argv[1], "float64") as shared:
    shared.array -= shared.array.mean()
    shared.array /= shared.array.std()
    print(f"python3 scaled {shared.array.size} numbers in place")
