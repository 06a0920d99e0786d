#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/result.h"
#include "gateway/io/fd.h"
#include "gateway/io/task.h"

namespace postern::io {

// What to run.  Nothing is searched in PATH and nothing is inherited but what stands here and the
// standard streams; every other descriptor of ours is closed in the child.
struct ChildOptions {
  std::vector<std::string> argv;                  // argv[0] is the path of the program
  std::vector<std::string> environment;           // "NAME=value"; the whole environment
  std::vector<std::pair<int, int>> descriptors;   // ours -> its number in the child (3 or above)
};

// How a child ended.
struct ChildEnd {
  bool by_signal = false;
  int code = 0;  // exit status, or the signal's number
  std::string to_string() const;  // "exit status 1", "signal 9 (Killed)"
};

// One child process, watched through its pidfd, so that its number is never mistaken for another's.
class Child {
 public:
  // The error names the program.
  static Result<Child> start(const ChildOptions& options);

  Child(Child&&) noexcept = default;
  Child& operator=(Child&& other) noexcept;
  // Kills and reaps a child that still runs.
  ~Child();

  pid_t pid() const { return pid_; }
  // Waits for its end and reaps it; a second call gives the same again.  Throws TimedOut.
  // `this` must outlive the task.
  Task<ChildEnd> ended(Deadline deadline);
  // Sends a signal; nothing happens to a child that has ended.
  void kill(int signal);

 private:
  Child(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  void finish();
  bool reap(bool block);

  pid_t pid_ = -1;
  Fd pidfd_;
  bool reaped_ = false;
  ChildEnd end_;
};

}  // namespace postern::io
