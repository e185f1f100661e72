// What the floors have in common: time, processes, and memory that they share.
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

enum { kProcesses = 4 };

// Of the one object that a row may give a name.
extern char object_path[512];

// Ends the program when something did not go well; errno says why.
void Check(int well, const char* what);

// The same where what counts is a result and not errno.
void CheckCount(const char* what, int64_t expected, int64_t found);

// CLOCK_MONOTONIC in nanoseconds: comparable between processes.
int64_t Now(void);
void SleepUntil(int64_t when);
void SleepMs(double ms);

// Prints the sample.
void Report(double nanoseconds);

// A child that does not outlive this process.
pid_t Fork(void);

// Waits for all children, and ends the program when one of them failed.
void AwaitChildren(void);

// Zeroed memory that processes forked from now on share with this one.
void* MapShared(size_t size);
