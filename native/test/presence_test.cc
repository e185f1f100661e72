// The contract of os/presence.h.
#include <grp.h>
#include <sys/resource.h>

#include <algorithm>
#include <functional>
#include <random>
#include <set>
#include <thread>

#include "../os/presence.h"
#include "support.h"

namespace shmkit::test {

namespace {

using Token = std::atomic<uint64_t>;

constexpr uid_t kSomebody = 65533;
constexpr uid_t kSomebodyElse = 65532;

// The test's own presence, by which it looks at others.
class Own {
 public:
  Own() {
    os::Result<os::Presence> entered = os::Presence::Enter();
    REQUIRE(entered.ok());
    presence_.emplace(entered.value());
  }
  ~Own() { presence_->Leave(); }
  Own(const Own&) = delete;
  Own& operator=(const Own&) = delete;

  const os::Presence* operator->() const { return &*presence_; }

 private:
  std::optional<os::Presence> presence_;
};

// Looks once more when a scope ends, for what a dead holder may have left (P6).
class LastLook {
 public:
  explicit LastLook(const Token& token) : token_(token) {}
  ~LastLook() {
    os::Result<os::Presence> entered = os::Presence::Enter();
    if (!entered.ok()) return;
    (void)entered.value().IsPresent(token_);
    entered.value().Leave();
  }
  LastLook(const LastLook&) = delete;
  LastLook& operator=(const LastLook&) = delete;

 private:
  const Token& token_;
};

// The handlers that doctest sets report what ends a process as if it were the tests' own.
void RestoreSignals() {
  for (const int signal : {SIGTERM, SIGABRT}) ::signal(signal, SIG_DFL);
}

bool AsTheTestsAre() { return true; }

bool Stay(const os::Presence&) {
  PauseForEver();
  return true;
}

// A process that enters, tells its token, and goes on with what its role says.
class Holder {
 public:
  explicit Holder(std::function<bool(os::Presence)> role = Stay,
                  std::function<bool()> prepare = AsTheTestsAre)
      : process_([this, role, prepare] { return Play(role, prepare); }) {
    entered_.Await();
    REQUIRE(token() != 0);
  }

  uint64_t token() const { return token_->load(); }
  Child& process() { return process_; }

 private:
  bool Play(const std::function<bool(os::Presence)>& role, const std::function<bool()>& prepare) {
    RestoreSignals();
    const bool prepared = prepare();
    const os::Result<os::Presence> entered = os::Presence::Enter();
    if (prepared && entered.ok()) token_->store(entered.value().token());
    entered_.Raise();
    return entered.ok() && role(entered.value());
  }

  const Shared<Token> token_;
  const LastLook last_look_{*token_};
  const Signal entered_;
  Child process_;
};

// Processes that all look at one holder at a time: many times while it lives, and many times after
// its death. They count what they see wrongly, and go on, so that nobody waits for them in vain.
class Lookers {
 public:
  Lookers(uint32_t how_many, uint32_t rounds, const std::function<bool()>& prepare)
      : how_many_(how_many) {
    for (uint32_t each = 0; each < how_many; ++each) {
      processes_.emplace_back([&] { return Play(rounds, prepare); });
    }
  }

  void SeePresent(uint64_t token) {
    token_->store(token);
    begun_.Raise();
    seen_present_.Await(how_many_ * ++round_);
    CHECK(wrong_->load() == 0);
  }
  void SeeGone() {
    ended_.Raise();
    seen_gone_.Await(how_many_ * round_);
    CHECK(wrong_->load() == 0);
  }

  bool Succeed() {
    return std::all_of(processes_.begin(), processes_.end(),
                       [](Child& process) { return process.Succeeds(); });
  }

 private:
  static constexpr int kLooks = 200;

  bool Play(uint32_t rounds, const std::function<bool()>& prepare) {
    const bool prepared = prepare();
    os::Result<os::Presence> own = os::Presence::Enter();
    const auto see = [&](bool present) {
      for (int look = 0; look < kLooks; ++look) {
        if (!own.ok() || own.value().IsPresent(token_->load()) != present) ++*wrong_;
      }
    };
    for (uint32_t round = 1; round <= rounds; ++round) {
      begun_.Await(round);
      see(true);
      seen_present_.Raise();
      ended_.Await(round);
      see(false);
      seen_gone_.Raise();
    }
    SHMKIT_EXPECT(prepared && own.ok());
    own.value().Leave();
    return true;
  }

  const uint32_t how_many_;
  uint32_t round_ = 0;
  const Shared<Token> token_;
  const Shared<std::atomic<uint32_t>> wrong_;
  const Signal begun_;
  const Signal seen_present_;
  const Signal ended_;
  const Signal seen_gone_;
  std::vector<Child> processes_;
};

// Two ends, neither of which a program that is started keeps.
class Pipe {
 public:
  Pipe() { REQUIRE(pipe2(ends_, O_CLOEXEC) == 0); }
  ~Pipe() {
    close(ends_[0]);
    close(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int out() const { return ends_[0]; }
  int in() const { return ends_[1]; }

 private:
  int ends_[2];
};

// What a process may become: a program that gives back what it gets, and ends when there will be
// no more.
class Echo {
 public:
  bool BecomeIt() const {
    SHMKIT_EXPECT(dup2(there_.out(), STDIN_FILENO) == STDIN_FILENO);
    SHMKIT_EXPECT(dup2(back_.in(), STDOUT_FILENO) == STDOUT_FILENO);
    execlp("cat", "cat", static_cast<char*>(nullptr));
    SHMKIT_EXPECT(!"a program to become");
    return false;
  }

  // Returns when the program has come to be. Without one the watchdog bites.
  bool Answers() const {
    char byte = 'x';
    return write(there_.in(), &byte, 1) == 1 && read(back_.out(), &byte, 1) == 1 && byte == 'x';
  }

 private:
  Pipe there_;
  Pipe back_;
};

// Takes in the orphans of this process' children for the length of a scope, so that their end can
// be waited for.
class Orphanage {
 public:
  Orphanage() { REQUIRE(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0); }
  ~Orphanage() { prctl(PR_SET_CHILD_SUBREAPER, 0); }
  Orphanage(const Orphanage&) = delete;
  Orphanage& operator=(const Orphanage&) = delete;

  static void KillAndReap(pid_t pid) {
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(waitpid(pid, nullptr, 0) == pid);
  }
};

bool BecomeUser(uid_t user) {
  SHMKIT_EXPECT(setgroups(0, nullptr) == 0);
  SHMKIT_EXPECT(setgid(user) == 0);
  SHMKIT_EXPECT(setuid(user) == 0);
  return true;
}

bool AllowDescriptors(rlim_t how_many) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  if (limit.rlim_cur >= how_many) return true;
  limit.rlim_cur = how_many;
  limit.rlim_max = std::max(limit.rlim_max, how_many);
  return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

// As /proc has it: 'T' stopped, 'Z' ended but not yet asked for.
char StateOf(pid_t process) {
  FILE* file = fopen(("/proc/" + std::to_string(process) + "/stat").c_str(), "re");
  if (!file) return 0;
  char state = 0;
  const int fields = fscanf(file, "%*d %*s %c", &state);
  fclose(file);
  return fields == 1 ? state : '\0';
}

// Where a mechanism keeps files, they bear the tokens.
std::vector<uint64_t> TokensOfFiles() {
  std::vector<uint64_t> tokens;
  for (const std::string& entry : EntriesOf(kLockFileDirectory)) {
    unsigned long long token = 0;
    if (sscanf(entry.c_str(), "shmkit-presence-%13llx.lock", &token) == 1) tokens.push_back(token);
  }
  return tokens;
}

using Entries = std::vector<std::string>;

Entries SortedEntriesOf(const std::string& directory) {
  Entries entries = EntriesOf(directory);
  std::sort(entries.begin(), entries.end());
  return entries;
}

}  // namespace

TEST_SUITE_BEGIN("presence");

TEST_CASE("P1: tokens are numbers that a double holds, and no two are the same") {
  std::set<uint64_t> seen;
  for (int each = 0; each < 1000; ++each) {
    const Own own;
    CHECK(own->token() >= 1);
    CHECK(own->token() <= os::kMaxToken);
    CHECK(static_cast<uint64_t>(static_cast<double>(own->token())) == own->token());
    CHECK(seen.insert(own->token()).second);
  }
}

TEST_CASE(
    "P1: nobody enters under a token that somebody has, though it be a pretender to them all") {
  if (!TheStage().private_mounts) {
    MESSAGE("skipped: on a shared stage it would keep others out");
    return;
  }
  const Own own;
  const size_t descriptors = DescriptorCount();
  const int pretender = open(kSegmentDirectory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  REQUIRE(pretender >= 0);
  struct flock everything{};
  everything.l_type = F_RDLCK;
  REQUIRE(fcntl(pretender, F_OFD_SETLK, &everything) == 0);
  if (own->IsPresent(1)) {
    const os::Result<os::Presence> entered = os::Presence::Enter();
    CHECK_FALSE(entered.ok());
    if (!entered.ok()) CHECK(entered.failure().error == EBUSY);
  } else {
    MESSAGE("skipped: this mechanism does not look at these locks");
  }
  close(pretender);
  CHECK_FALSE(own->IsPresent(1));
  CHECK(DescriptorCount() == descriptors);
}

TEST_CASE("P2: two tokens of one process are seen from each other, and each from itself") {
  const Own first;
  const Own second;
  CHECK(first->token() != second->token());
  CHECK(first->IsPresent(first->token()));
  CHECK(first->IsPresent(second->token()));
  CHECK(second->IsPresent(first->token()));
  CHECK(second->IsPresent(second->token()));
}

TEST_CASE("P2: a holder is present while it lives, and its neighbours in number are not") {
  const Own own;
  Holder holder;
  CHECK(own->IsPresent(holder.token()));
  CHECK_FALSE(own->IsPresent(holder.token() - 1));
  CHECK_FALSE(own->IsPresent(holder.token() + 1));
  CHECK(own->IsPresent(holder.token()));
}

TEST_CASE("P2: a holder sees the one who looks at it") {
  const Own own;
  Holder holder([looker = own->token()](const os::Presence& presence) {
    SHMKIT_EXPECT(presence.IsPresent(looker));
    SHMKIT_EXPECT(presence.IsPresent(presence.token()));
    return true;
  });
  CHECK(holder.process().Succeeds());
}

TEST_CASE("P2: a process that exits is gone") {
  const Own own;
  const Signal looked;
  Holder holder([&looked](const os::Presence&) {
    looked.Await();
    return true;
  });
  CHECK(own->IsPresent(holder.token()));
  looked.Raise();
  CHECK(holder.process().Succeeds());
  CHECK_FALSE(own->IsPresent(holder.token()));
}

TEST_CASE("P2: a process that a signal ends is gone") {
  const Own own;
  for (const int signal : {SIGKILL, SIGTERM, SIGABRT, SIGALRM}) {
    CAPTURE(signal);
    Holder holder;
    CHECK(own->IsPresent(holder.token()));
    CHECK(kill(holder.process().pid(), signal) == 0);
    CHECK(holder.process().DiesOf(signal));
    CHECK_FALSE(own->IsPresent(holder.token()));
  }
}

TEST_CASE("P2: a zombie is not present") {
  const Own own;
  Holder holder;
  const pid_t pid = holder.process().pid();
  CHECK(kill(pid, SIGKILL) == 0);
  siginfo_t ended;
  REQUIRE(waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOWAIT) == 0);
  CHECK(StateOf(pid) == 'Z');
  CHECK_FALSE(own->IsPresent(holder.token()));
  CHECK(holder.process().DiesOf(SIGKILL));
}

TEST_CASE("P2: a process that is stopped is present") {
  const Own own;
  Holder holder;
  const pid_t pid = holder.process().pid();
  CHECK(kill(pid, SIGSTOP) == 0);
  siginfo_t stopped;
  REQUIRE(waitid(P_PID, static_cast<id_t>(pid), &stopped, WSTOPPED) == 0);
  CHECK(StateOf(pid) == 'T');
  CHECK(own->IsPresent(holder.token()));
  holder.process().Kill();
  CHECK_FALSE(own->IsPresent(holder.token()));
}

TEST_CASE(
    "P2: a process whose first thread has ended is present, though it is listed as a zombie") {
  const Own own;
  Holder holder([](const os::Presence&) {
    std::thread([] { PauseForEver(); }).detach();
    syscall(SYS_exit, 0);
    return false;
  });
  while (StateOf(holder.process().pid()) != 'Z') Yield();
  CHECK(own->IsPresent(holder.token()));
  holder.process().Kill();
  CHECK_FALSE(own->IsPresent(holder.token()));
}

TEST_CASE("P2: one who leaves is gone, while its process lives and its other token is present") {
  const Own own;
  const Signal left;
  const Signal looked;
  const Shared<Token> other;
  Holder holder([&](os::Presence presence) {
    os::Result<os::Presence> second = os::Presence::Enter();
    SHMKIT_EXPECT(second.ok());
    other->store(second.value().token());
    presence.Leave();
    SHMKIT_EXPECT(presence.token() == 0);
    presence.Leave();
    left.Raise();
    looked.Await();
    return true;
  });
  left.Await();
  CHECK_FALSE(own->IsPresent(holder.token()));
  CHECK(own->IsPresent(other->load()));
  looked.Raise();
  CHECK(holder.process().Succeeds());
  CHECK_FALSE(own->IsPresent(other->load()));
}

TEST_CASE("P2: a thread that leaves is gone, and one that ends without leaving is not") {
  const Own own;
  std::optional<os::Presence> forgotten;
  uint64_t left = 0;
  std::thread([&] {
    os::Result<os::Presence> entered = os::Presence::Enter();
    REQUIRE(entered.ok());
    left = entered.value().token();
    CHECK(own->IsPresent(left));
    entered.value().Leave();
  }).join();
  std::thread([&] {
    os::Result<os::Presence> entered = os::Presence::Enter();
    REQUIRE(entered.ok());
    forgotten.emplace(entered.value());
  }).join();
  CHECK_FALSE(own->IsPresent(left));
  CHECK(own->IsPresent(forgotten->token()));
  const uint64_t token = forgotten->token();
  forgotten->Leave();
  CHECK_FALSE(own->IsPresent(token));
}

TEST_CASE("P2: one who leaves is gone, though a process that it forked has its descriptor") {
  const Own own;
  os::Result<os::Presence> leaver = os::Presence::Enter();
  REQUIRE(leaver.ok());
  const uint64_t token = leaver.value().token();
  const Child bystander([] {
    PauseForEver();
    return true;
  });
  CHECK(own->IsPresent(token));
  leaver.value().Leave();
  CHECK_FALSE(own->IsPresent(token));
}

TEST_CASE("P2: of two thousand tokens in one process all are present, until it is killed") {
  constexpr size_t kTokens = 2000;
  struct Tokens {
    std::atomic<uint64_t> all[kTokens];
  };
  if (!AllowDescriptors(kTokens + 100)) {
    MESSAGE("skipped: this process may not have so many descriptors");
    return;
  }
  const Own own;
  const Shared<Tokens> tokens;
  const Signal entered;
  Child crowd([&] {
    bool well = true;
    for (std::atomic<uint64_t>& token : tokens->all) {
      const os::Result<os::Presence> each = os::Presence::Enter();
      if (each.ok()) token = each.value().token();
      well = well && each.ok();
    }
    entered.Raise();
    SHMKIT_EXPECT(well);
    PauseForEver();
    return true;
  });
  entered.Await();
  const auto present = [&] {
    return std::count_if(std::begin(tokens->all), std::end(tokens->all),
                         [&](const auto& token) { return own->IsPresent(token); });
  };
  const std::set<uint64_t> different(std::begin(tokens->all), std::end(tokens->all));
  CHECK(different.size() == kTokens);
  CHECK(present() == kTokens);
  crowd.Kill();
  CHECK(present() == 0);
}

TEST_CASE("P2: whoever looks, and however many do, the living are present and the killed are not") {
  constexpr uint32_t kRounds = 25;
  Lookers lookers(4, kRounds, AsTheTestsAre);
  for (uint32_t round = 1; round <= kRounds; ++round) {
    Holder holder;
    lookers.SeePresent(holder.token());
    holder.process().Kill();
    lookers.SeeGone();
  }
  CHECK(lookers.Succeed());
}

TEST_CASE(
    "P2: one who is just entering is not taken for dead by those who look at whatever there is") {
  constexpr int kEntrances = 2000;
  const Own own;
  if (TokensOfFiles().empty()) {
    MESSAGE("skipped: this mechanism shows nobody the tokens of others");
    return;
  }
  const Signal ready;
  const Shared<std::atomic<bool>> enough;
  std::vector<Child> sweepers;
  for (int each = 0; each < 2; ++each) {
    sweepers.emplace_back([&] {
      ready.Raise();
      while (!enough->load()) {
        for (const uint64_t token : TokensOfFiles()) (void)own->IsPresent(token);
      }
      return true;
    });
  }
  ready.Await(2);
  int mistaken = 0;
  for (int each = 0; each < kEntrances; ++each) {
    const Own another;
    if (!own->IsPresent(another->token())) ++mistaken;
  }
  CHECK(mistaken == 0);
  enough->store(true);
  for (Child& sweeper : sweepers) CHECK(sweeper.Succeeds());
}

TEST_CASE("P3: threads look through one presence at a time") {
  const Own own;
  Holder living;
  Holder dead;
  dead.process().Kill();
  std::vector<std::thread> threads;
  std::atomic<uint32_t> wrong{0};
  for (int each = 0; each < 4; ++each) {
    threads.emplace_back([&] {
      for (int look = 0; look < 200; ++look) {
        if (!own->IsPresent(living.token()) || own->IsPresent(dead.token())) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("P3: another user's process sees who is present and who is gone, whatever the umask") {
  if (geteuid() != 0) {
    MESSAGE("skipped: only root can become another user");
    return;
  }
  // They cannot remove what a dead holder leaves, so that they look at it again and again.
  Lookers lookers(3, 2, [] { return BecomeUser(kSomebodyElse); });
  for (const uid_t user : {uid_t{0}, kSomebody}) {
    const mode_t before = umask(0777);
    Holder holder(Stay, [user] { return BecomeUser(user); });
    umask(before);
    lookers.SeePresent(holder.token());
    holder.process().Kill();
    lookers.SeeGone();
  }
  CHECK(lookers.Succeed());
}

TEST_CASE("P3: one who leaves is gone, though it became another user since it entered") {
  if (geteuid() != 0) {
    MESSAGE("skipped: only root can become another user");
    return;
  }
  const Own own;
  const Signal left;
  const Signal looked;
  Holder holder([&](os::Presence presence) {
    // Has the descriptor as well, and is another user's from now on: it has to end by itself.
    Child bystander([&] {
      looked.Await();
      return true;
    });
    const bool became = BecomeUser(kSomebody);
    presence.Leave();
    left.Raise();
    looked.Await();
    return became && bystander.Succeeds();
  });
  left.Await();
  CHECK_FALSE(own->IsPresent(holder.token()));
  looked.Raise();
  CHECK(holder.process().Succeeds());
}

TEST_CASE("P3: processes of different process namespaces see each other") {
  const Own own;
  const Shared<Token> token;
  const Signal entered;
  const Signal looked;
  const Signal killed;
  const Signal finished;
  const Shared<std::atomic<bool>> refused;
  Child container([&, outside = own->token()] {
    if (unshare(CLONE_NEWPID) != 0) {
      refused->store(true);
      entered.Raise();
      return true;
    }
    const pid_t inhabitant = fork();
    SHMKIT_EXPECT(inhabitant >= 0);
    if (inhabitant == 0) {
      // The first process of a namespace ignores an alarm.
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const os::Result<os::Presence> presence = os::Presence::Enter();
      const bool well = presence.ok() && getpid() == 1 && presence.value().IsPresent(outside);
      if (well) token->store(presence.value().token());
      entered.Raise();
      PauseForEver();
    }
    looked.Await();
    SHMKIT_EXPECT(kill(inhabitant, SIGKILL) == 0);
    SHMKIT_EXPECT(waitpid(inhabitant, nullptr, 0) == inhabitant);
    killed.Raise();
    finished.Await();
    return true;
  });
  entered.Await();
  if (refused->load()) {
    MESSAGE("skipped: this process may not make a process namespace");
    return;
  }
  CHECK(token->load() != 0);
  CHECK(own->IsPresent(token->load()));
  looked.Raise();
  killed.Await();
  CHECK_FALSE(own->IsPresent(token->load()));
  finished.Raise();
  CHECK(container.Succeeds());
}

TEST_CASE("P4: numbers that are no tokens are nobody's, and neither is one that nobody has") {
  const Own own;
  std::mt19937_64 random(11);
  for (int each = 0; each < 200; ++each) {
    CHECK_FALSE(own->IsPresent(random() & os::kMaxToken));
    CHECK_FALSE(own->IsPresent(random() | (os::kMaxToken + 1)));
  }
  for (const uint64_t number : {uint64_t{0}, os::kMaxToken + 1, uint64_t{1} << 62,
                                uint64_t{1} << 63, UINT64_MAX - 1, UINT64_MAX}) {
    CAPTURE(number);
    CHECK_FALSE(own->IsPresent(number));
  }
  // These could be somebody's; to ask must be possible.
  (void)own->IsPresent(1);
  (void)own->IsPresent(os::kMaxToken);
}

TEST_CASE("P4: a process out of descriptors cannot enter, and takes nobody for dead") {
  const Own own;
  Holder living;
  Child starved([&] {
    const rlimit none{0, 0};
    SHMKIT_EXPECT(setrlimit(RLIMIT_NOFILE, &none) == 0);
    const os::Result<os::Presence> entered = os::Presence::Enter();
    SHMKIT_EXPECT(!entered.ok());
    SHMKIT_EXPECT(entered.failure().error == EMFILE);
    SHMKIT_EXPECT(own->IsPresent(living.token()));
    SHMKIT_EXPECT(own->IsPresent(own->token()));
    return true;
  });
  CHECK(starved.Succeeds());
}

TEST_CASE("P4: a process whose descriptors were closed behind its back takes nobody for dead") {
  const Own own;
  Holder living;
  Child careless([&] {
    for (const std::string& entry : EntriesOf("/proc/self/fd")) {
      const int fd = std::stoi(entry);
      if (fd > STDERR_FILENO) close(fd);
    }
    SHMKIT_EXPECT(own->IsPresent(living.token()));
    SHMKIT_EXPECT(own->IsPresent(own->token()));
    SHMKIT_EXPECT(!own->IsPresent(0));
    return true;
  });
  CHECK(careless.Succeeds());
}

TEST_CASE("P5: a process that becomes another program is gone") {
  const Own own;
  const Echo echo;
  Holder holder([&echo](const os::Presence&) { return echo.BecomeIt(); });
  CHECK(echo.Answers());
  CHECK_FALSE(own->IsPresent(holder.token()));
  CHECK(StateOf(holder.process().pid()) != 'Z');
}

TEST_CASE("P5: a program that a holder started does not keep its token when it is killed") {
  const Orphanage orphanage;
  const Own own;
  const Echo echo;
  const Shared<std::atomic<pid_t>> program;
  const Signal started;
  Holder holder([&](const os::Presence&) {
    const pid_t pid = fork();
    SHMKIT_EXPECT(pid >= 0);
    if (pid == 0) {
      alarm(kWatchdogSeconds);
      _exit(echo.BecomeIt() ? 0 : 1);
    }
    program->store(pid);
    started.Raise();
    PauseForEver();
    return true;
  });
  started.Await();
  CHECK(echo.Answers());
  CHECK(own->IsPresent(holder.token()));
  holder.process().Kill();
  CHECK_FALSE(own->IsPresent(holder.token()));
  CHECK(echo.Answers());
  Orphanage::KillAndReap(program->load());
}

TEST_CASE("P5: a process that was forked and stays the same program shares the token") {
  const Orphanage orphanage;
  const Own own;
  const Shared<std::atomic<pid_t>> heir;
  const Signal forked;
  Holder holder([&](const os::Presence&) {
    const pid_t pid = fork();
    SHMKIT_EXPECT(pid >= 0);
    if (pid == 0) {
      alarm(kWatchdogSeconds);
      PauseForEver();
    }
    heir->store(pid);
    forked.Raise();
    PauseForEver();
    return true;
  });
  forked.Await();
  holder.process().Kill();
  CHECK(own->IsPresent(holder.token()));
  Orphanage::KillAndReap(heir->load());
  CHECK_FALSE(own->IsPresent(holder.token()));
}

TEST_CASE("P6: after kills, and one look at each of the dead, there is nothing left of them") {
  if (!TheStage().private_mounts) {
    MESSAGE("skipped: on a shared stage nobody knows whose files these are");
    return;
  }
  const Own own;
  const Entries segments = SortedEntriesOf(kSegmentDirectory);
  const Entries files = SortedEntriesOf(kLockFileDirectory);
  for (int round = 0; round < 30; ++round) {
    Holder holder;
    holder.process().Kill();
    CHECK_FALSE(own->IsPresent(holder.token()));
  }
  CHECK(SortedEntriesOf(kSegmentDirectory) == segments);
  CHECK(SortedEntriesOf(kLockFileDirectory) == files);
}

TEST_CASE("P6: entering, leaving and looking leave no descriptor and no file") {
  const size_t descriptors = DescriptorCount();
  const Entries files = SortedEntriesOf(kLockFileDirectory);
  for (int round = 0; round < 50; ++round) {
    const Own own;
    CHECK(DescriptorCount() == descriptors + 1);
    const Own other;
    CHECK(own->IsPresent(other->token()));
    CHECK_FALSE(own->IsPresent(other->token() - 1));
    CHECK(DescriptorCount() == descriptors + 2);
  }
  CHECK(DescriptorCount() == descriptors);
  if (TheStage().private_mounts) CHECK(SortedEntriesOf(kLockFileDirectory) == files);
}

TEST_SUITE_END();

}  // namespace shmkit::test
