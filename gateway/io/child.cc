// Child processes: posix_spawn (safe beside threads), watched through a pidfd (Linux 5.3).
#include "gateway/io/child.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "gateway/io/errors.h"
#include "gateway/io/readiness.h"

namespace postern::io {
namespace {

// posix_spawn's two parameter objects.
struct Spawn {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  Spawn() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~Spawn() {
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
  }
  Spawn(const Spawn&) = delete;
};

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const auto& text : strings) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

int pidfd_send(int pidfd, int signal) {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

}  // namespace

std::string ChildEnd::to_string() const {
  if (!by_signal) return "exit status " + std::to_string(code);
  return "signal " + std::to_string(code) + " (" + ::strsignal(code) + ")";
}

Result<Child> Child::start(const ChildOptions& options) {
  CHECK(!options.argv.empty());
  Spawn spawn;
  int first_free = 3;
  for (auto [ours, theirs] : options.descriptors) {
    CHECK(theirs >= 3);
    first_free = std::max(first_free, theirs + 1);
  }
  // Two steps, because a wanted number may be the one of a descriptor that is still to be moved.
  int parked = first_free + 1000;
  for (auto [ours, theirs] : options.descriptors) {
    posix_spawn_file_actions_adddup2(&spawn.actions, ours, parked + theirs);
  }
  for (auto [ours, theirs] : options.descriptors) {
    posix_spawn_file_actions_adddup2(&spawn.actions, parked + theirs, theirs);
  }
  for (int number = 3; number < first_free; ++number) {
    bool wanted = std::any_of(options.descriptors.begin(), options.descriptors.end(),
                              [number](const auto& descriptor) { return descriptor.second == number; });
    // Not an error if nothing is open there.
    if (!wanted) posix_spawn_file_actions_addclose(&spawn.actions, number);
  }
  posix_spawn_file_actions_addclosefrom_np(&spawn.actions, first_free);

  // Our loops ignore SIGPIPE, and an ignored signal would be inherited.
  sigset_t none;
  sigset_t defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  sigaddset(&defaults, SIGHUP);
  sigaddset(&defaults, SIGTERM);
  sigaddset(&defaults, SIGINT);
  posix_spawnattr_setsigmask(&spawn.attributes, &none);
  posix_spawnattr_setsigdefault(&spawn.attributes, &defaults);
  posix_spawnattr_setflags(&spawn.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  auto argv = pointers(options.argv);
  auto environment = pointers(options.environment);
  pid_t pid = -1;
  int failed = ::posix_spawn(&pid, options.argv[0].c_str(), &spawn.actions, &spawn.attributes, argv.data(), environment.data());
  if (failed != 0) return Error("cannot run " + options.argv[0] + ": " + std::strerror(failed));
  // Not reaped yet, so the number is still its own.
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid()) {
    int why = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return Error("cannot watch " + options.argv[0] + ": " + std::strerror(why));
  }
  return Child(pid, std::move(pidfd));
}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    finish();
    pid_ = other.pid_;
    pidfd_ = std::move(other.pidfd_);
    reaped_ = other.reaped_;
    end_ = other.end_;
  }
  return *this;
}

Child::~Child() { finish(); }

void Child::finish() {
  if (!pidfd_.valid() || reaped_) return;
  kill(SIGKILL);
  reap(true);
}

bool Child::reap(bool block) {
  if (reaped_) return true;
  siginfo_t info{};
  int got = 0;
  do {
    got = ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | (block ? 0 : WNOHANG));
  } while (got < 0 && errno == EINTR);
  if (got == 0 && info.si_pid == 0) return false;
  reaped_ = true;
  end_.by_signal = got == 0 && info.si_code != CLD_EXITED;
  end_.code = got == 0 ? info.si_status : -1;  // -1: someone else reaped it
  return true;
}

Task<ChildEnd> Child::ended(Deadline deadline) {
  while (!reap(false)) {
    bool ready = co_await Readable(pidfd_.get(), deadline);
    if (!ready) throw TimedOut();
  }
  co_return end_;
}

void Child::kill(int signal) {
  if (pidfd_.valid() && !reaped_) pidfd_send(pidfd_.get(), signal);
}

}  // namespace postern::io
