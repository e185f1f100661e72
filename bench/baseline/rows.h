// The rows, by topic. Each row is a function that does its work `count` times and reports the time.
#pragma once

typedef void Row(int count);

// locks.c: locks that no other process wants
Row LockPairs, RecursivePairs, ReadLockPairs, SemaphorePairs, LockedAdditions;
// contention.c: objects that several processes want
Row Handovers, LockedIncrements, AtomicIncrements;
// waiting.c: processes that wait for each other
Row PingPong, BarrierRounds;
// values.c
Row AddInt32, AddInt64, AddFloat64, ReadValue, WriteValue, ReadElements, WriteElements;
// segments.c
Row Creations, Attachments, LargeAttachments, LargeWrites;
// filling.c
Row FillBytes, FillDoubles, Copy;
