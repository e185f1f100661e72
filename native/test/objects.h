// What the suites about shared objects have in common.
#pragma once

#include <algorithm>
#include <functional>
#include <random>
#include <set>

#include "../core/shared_object.h"
#include "support.h"

namespace shmkit::test {

constexpr unsigned kMode = 0600;
// Which kind has which number is TypeScript's to know.
constexpr uint16_t kKind = 11;
constexpr uint16_t kOtherKind = 12;
constexpr uint32_t kUntold = 0xfeedface;

inline Contents Bare(uint16_t kind = kKind) {
  Contents contents{};
  contents.kind = kind;
  return contents;
}

// With room for so many bytes of words.
inline Contents WithWords(size_t bytes) {
  Contents contents = Bare();
  contents.words_bytes = bytes;
  return contents;
}

inline SharedObject* Open(const Name& name, Disposition disposition,
                          const Contents& contents = Bare(), OpenFailure* why = nullptr) {
  OpenFailure ignored{};
  return SharedObject::Open(name, kMode, disposition, contents, why ? why : &ignored);
}

// A reference to an object, dropped at the end of a scope.
class Handle {
 public:
  explicit Handle(SharedObject* object) : object_(object) { REQUIRE(object_ != nullptr); }
  Handle(const Name& name, Disposition disposition, const Contents& contents = Bare())
      : Handle(Open(name, disposition, contents)) {}
  ~Handle() { Drop(); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  void Drop() {
    if (object_) object_->DropReference();
    object_ = nullptr;
  }
  SharedObject* get() const { return object_; }
  SharedObject* operator->() const { return object_; }

 private:
  SharedObject* object_;
};

// The header of the object that a name leads to, through a mapping of the test's own.
class Bytes {
 public:
  explicit Bytes(const Name& name) : mapped_(os::Attach(name, os::Access::kReadWrite)) {}
  Header* operator->() const { return &mapped_.As<Header>(); }
  const uint8_t* at(size_t offset) const {
    return static_cast<const uint8_t*>(mapped_.segment().address) + offset;
  }
  size_t size() const { return mapped_.size(); }

 private:
  const MappedSegment mapped_;
};

// What the mutex of an object keeps outside of it goes at the end of a scope. To remove a name
// leaves that to those who go on using the object.
class Remains {
 public:
  explicit Remains(const Handle& object) : id_(object->id()) {}
  ~Remains() { os::Mutex::Dispose(id_); }
  Remains(const Remains&) = delete;
  Remains& operator=(const Remains&) = delete;

 private:
  const os::ObjectId id_;
};

// How opening fails: an errno, or a refusal with what was found.
struct Verdict {
  int error;
  std::optional<Refusal> refusal;
  uint32_t found;

  bool operator==(const Verdict& other) const {
    return error == other.error && refusal == other.refusal && found == other.found;
  }
};

inline Verdict Refused(Refusal refusal, uint32_t found) { return {0, refusal, found}; }
inline Verdict Failed(int error) { return {error, std::nullopt, 0}; }

inline Verdict FailureToOpen(const Name& name, Disposition disposition,
                             const Contents& contents = Bare()) {
  OpenFailure why{{0, ""}, std::nullopt, kUntold};
  SharedObject* object = Open(name, disposition, contents, &why);
  if (object) {
    object->DropReference();
    return {-1, std::nullopt, 0};
  }
  return {why.failure.error, why.refusal, why.found};
}

// The lock files that come into being during a scope, where there are such. They go at its end,
// with word of how many: a lock file has to be there before its lock and can go only after it, so
// that a kill in between leaves it, and so does a name that is removed while the object is in use.
class LockFiles {
 public:
  LockFiles() : before_(Entries()) {}
  ~LockFiles() {
    if (!TheStage().private_mounts || count() == 0) return;
    MESSAGE(count(), " lock files left");
    for (const std::string& entry : Entries()) {
      if (before_.count(entry) > 0) continue;
      unlink((std::string(kLockFileDirectory) + '/' + entry).c_str());
    }
  }
  LockFiles(const LockFiles&) = delete;
  LockFiles& operator=(const LockFiles&) = delete;

  size_t count() const { return Entries().size() - before_.size(); }

 private:
  static std::set<std::string> Entries() {
    std::set<std::string> files;
    for (const std::string& entry : EntriesOf(kLockFileDirectory)) {
      if (entry.compare(0, strlen(kLockFilePrefix), kLockFilePrefix) == 0) files.insert(entry);
    }
    return files;
  }

  const std::set<std::string> before_;
};

// Processes that play one role, of which one after the other is killed at a random moment and
// replaced.
class Troupe {
 public:
  static constexpr uint32_t kPlayers = 16;
  static constexpr uint32_t kKills = 120;

  // The role is told the number of its player, from 1.
  using Role = std::function<bool(uint32_t)>;

  // Who is killed: anyone, or by preference somebody who is opening an object.
  enum class Aim { kAnyone, kOpening };

  // Whether all who were not killed did well.
  bool Play(const Role& role, Aim aim = Aim::kAnyone) {
    while (players_.size() < kPlayers) Bear(role);
    if (!os::kPublishesWhole) {
      MESSAGE("nobody is killed while opening: this mechanism shows what a creator leaves");
    }
    std::minstd_rand random(1);
    uint32_t goal = 0;
    for (uint32_t kills = 0; kills < kKills; ++kills) {
      goal += 1 + static_cast<uint32_t>(random()) % kTurnsAKill;
      if (!AwaitTurns(goal)) break;
      size_t victim = static_cast<size_t>(random()) % players_.size();
      if (aim == Aim::kOpening && os::kPublishesWhole) victim = NextOpening(victim);
      KillOne(victim);
      Bear(role);
    }
    board_->over = true;
    return std::all_of(players_.begin(), players_.end(),
                       [](Player& player) { return player.process.Succeeds(); });
  }

  // For the players.

  bool over() const { return board_->over; }
  // About to be killed, or killed.
  bool IsDoomed(uint32_t player) const { return board_->doomed[player]; }
  SharedObject* Open(uint32_t self, const Name& name, Disposition disposition,
                     const Contents& contents = Bare()) {
    board_->opening[self] = true;
    SharedObject* object = test::Open(name, disposition, contents);
    board_->opening[self] = false;
    return object;
  }
  // Something was done, after a few of which somebody is killed.
  void CountTurn() {
    turns_->value.fetch_add(1);
    os::Wake(*turns_, 1);
  }

  uint32_t turns() const { return turns_->value.load(); }
  uint32_t killed_opening() const { return killed_opening_; }

 private:
  static constexpr uint32_t kTurnsAKill = 12;
  static constexpr uint32_t kMostNumber = kPlayers + kKills;

  struct Board {
    std::atomic<bool> over;
    std::atomic<bool> doomed[kMostNumber + 1];
    std::atomic<bool> opening[kMostNumber + 1];
  };
  struct Player {
    uint32_t number;
    Child process;
  };

  void Bear(const Role& role) {
    const uint32_t number = ++born_;
    players_.push_back({number, Child([&role, number] { return role(number); })});
  }

  // False when somebody has stopped playing: nothing more might come then.
  bool AwaitTurns(uint32_t goal) const {
    constexpr double kLookMs = 200;
    for (uint32_t seen = turns(); seen < goal; seen = turns()) {
      const bool over = std::any_of(players_.begin(), players_.end(),
                                    [](const Player& player) { return player.process.IsOver(); });
      if (over) return false;
      (void)os::Wait(*turns_, seen, os::Deadline::After(kLookMs));
    }
    return true;
  }

  bool IsOpening(size_t player) const { return board_->opening[players_[player].number]; }

  // The first one from there on, if any is.
  size_t NextOpening(size_t from) const {
    for (size_t each = 0; each < players_.size(); ++each) {
      const size_t player = (from + each) % players_.size();
      if (IsOpening(player)) return player;
    }
    return from;
  }

  void KillOne(size_t victim) {
    // Stopped first, so that its moment can be looked at.
    while (!os::kPublishesWhole) {
      const pid_t pid = players_[victim].process.pid();
      kill(pid, SIGSTOP);
      int status = 0;
      REQUIRE(waitpid(pid, &status, WUNTRACED) > 0);
      REQUIRE(WIFSTOPPED(status));
      if (!IsOpening(victim)) break;
      kill(pid, SIGCONT);
      victim = (victim + 1) % players_.size();
    }
    board_->doomed[players_[victim].number] = true;
    if (IsOpening(victim)) ++killed_opening_;
    players_[victim].process.Kill();
    std::swap(players_[victim], players_.back());
    players_.pop_back();
  }

  const Shared<Board> board_;
  const Shared<os::WaitWord> turns_;
  std::vector<Player> players_;
  uint32_t born_ = 0;
  uint32_t killed_opening_ = 0;
};

}  // namespace shmkit::test
