#include "../core/spin_history.h"

#include "support.h"

namespace shmkit::test {

namespace {

// Longer than anybody spins.
constexpr int64_t kLongNanoseconds = 3'600'000'000'000;

// How many times it is left out before it is done again.
unsigned LeftOut(SpinHistory& history) {
  unsigned times = 0;
  while (!history.IsWorthwhile()) ++times;
  return times;
}

}  // namespace

TEST_CASE("to spin is worthwhile at first") {
  SpinHistory history;
  CHECK(LeftOut(history) == 0);
}

TEST_CASE("to spin is left out for longer after each time in vain, up to a limit") {
  SpinHistory history;
  for (const unsigned times : {1U, 3U, 7U, 15U, 31U, 63U, 63U, 63U}) {
    history.Note(true);
    CHECK(LeftOut(history) == times);
  }
}

TEST_CASE("to spin is worthwhile after a success") {
  SpinHistory history;
  for (int i = 0; i < 10; ++i) history.Note(true);
  history.Note(false);
  CHECK(LeftOut(history) == 0);
  history.Note(true);
  CHECK(LeftOut(history) == 1);
}

TEST_CASE("a look that others kept from the processor for long was in vain, whatever it found") {
  SpinHistory history;
  history.NoteLook(true, os::SteadyNanoseconds() + kLongNanoseconds);
  CHECK(LeftOut(history) == 0);
  history.NoteLook(true, os::SteadyNanoseconds() - kLongNanoseconds);
  CHECK(LeftOut(history) == 1);
  history.NoteLook(false, os::SteadyNanoseconds());
  CHECK(LeftOut(history) == 3);
}

TEST_CASE("to spin is left out only once after a sleep that news ended soon") {
  SpinHistory history;
  for (int i = 0; i < 10; ++i) history.Note(true);
  history.NoteWoken(os::SteadyNanoseconds() - kLongNanoseconds);
  CHECK(LeftOut(history) == 63);
  history.Note(true);
  history.NoteWoken(os::SteadyNanoseconds() + kLongNanoseconds);
  CHECK(LeftOut(history) == 1);
  history.Note(true);
  CHECK(LeftOut(history) == 3);
}

}  // namespace shmkit::test
