// What the floors share: time, processes, and memory that the processes have in common.
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

enum { kProcesses = 4 };

// The path of the one object for which a row may need a name.
extern char object_path[512];

// Exits the program when a call failed. errno says why.
void Check(int well, const char* what);

// The same for a call that is judged by its result and not by errno.
void CheckCount(const char* what, int64_t expected, int64_t found);

// CLOCK_MONOTONIC in nanoseconds. Comparable between processes.
int64_t Now(void);
void SleepUntil(int64_t when);
void SleepMs(double ms);

// Prints the sample.
void Report(double nanoseconds);

// Forks a child that does not outlive this process.
pid_t Fork(void);

// Waits for all children, and exits the program when one of them failed.
void AwaitChildren(void);

// Zeroed memory that this process shares with the processes that it forks from now on.
void* MapShared(size_t size);
