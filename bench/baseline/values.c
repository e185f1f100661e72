// One number, or an array of numbers, in shared memory. No other process touches them meanwhile.
#define _GNU_SOURCE
#include <string.h>

#include "common.h"
#include "rows.h"

enum { kElements = 1000 };

// A double is stored in an atomic integer as its bits.

static double DoubleOf(int64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static int64_t BitsOf(double value) {
  int64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

// --- additions, each of them atomic

void AddInt32(int count) {
  _Atomic int32_t* value = MapShared(sizeof *value);
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) atomic_fetch_add(value, 1);
  const int64_t end = Now();
  CheckCount("sum", count, atomic_load(value));
  Report((double)(end - start) / count);
}

void AddInt64(int count) {
  _Atomic int64_t* value = MapShared(sizeof *value);
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) atomic_fetch_add(value, 1);
  const int64_t end = Now();
  CheckCount("sum", count, atomic_load(value));
  Report((double)(end - start) / count);
}

// No processor has an instruction for this. The sum replaces the old value if that has not changed.
static void AddDouble(_Atomic int64_t* bits, double delta) {
  int64_t before = atomic_load_explicit(bits, memory_order_relaxed);
  while (!atomic_compare_exchange_weak(bits, &before, BitsOf(DoubleOf(before) + delta))) {
  }
}

void AddFloat64(int count) {
  _Atomic int64_t* bits = MapShared(sizeof *bits);
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) AddDouble(bits, 0.5);
  const int64_t end = Now();
  CheckCount("twice the sum", count, (int64_t)(2 * DoubleOf(atomic_load(bits))));
  Report((double)(end - start) / count);
}

// --- reading and writing

void ReadValue(int count) {
  _Atomic int32_t* value = MapShared(sizeof *value);
  atomic_store(value, 1);
  int64_t sum = 0;
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) sum += atomic_load(value);
  const int64_t end = Now();
  CheckCount("sum", count, sum);
  Report((double)(end - start) / count);
}

void WriteValue(int count) {
  _Atomic int32_t* value = MapShared(sizeof *value);
  const int64_t start = Now();
  for (int i = 0; i < count; ++i) atomic_store(value, i);
  const int64_t end = Now();
  CheckCount("last", count - 1, atomic_load(value));
  Report((double)(end - start) / count);
}

void ReadElements(int count) {
  _Atomic int64_t* elements = MapShared(kElements * sizeof *elements);
  for (int i = 0; i < kElements; ++i) atomic_store(&elements[i], BitsOf(1));
  const int passes = count / kElements;
  double sum = 0;
  const int64_t start = Now();
  for (int pass = 0; pass < passes; ++pass) {
    for (int i = 0; i < kElements; ++i) sum += DoubleOf(atomic_load(&elements[i]));
  }
  const int64_t end = Now();
  CheckCount("sum", (int64_t)passes * kElements, (int64_t)sum);
  Report((double)(end - start) / passes / kElements);
}

void WriteElements(int count) {
  _Atomic int64_t* elements = MapShared(kElements * sizeof *elements);
  const int passes = count / kElements;
  const int64_t start = Now();
  for (int pass = 0; pass < passes; ++pass) {
    for (int i = 0; i < kElements; ++i) atomic_store(&elements[i], BitsOf(i + 0.5));
  }
  const int64_t end = Now();
  for (int i = 0; i < kElements; ++i) {
    CheckCount("element", i, (int64_t)DoubleOf(atomic_load(&elements[i])));
  }
  Report((double)(end - start) / passes / kElements);
}
