// key=value log lines on standard error; journald and a human both read them.
#include "gateway/base/log.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/text.h"

namespace postern {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "level=fatal event=check at=%s:%d what=\"%s\"\n", file, line, condition);
  std::abort();
}

}  // namespace postern

namespace postern::log {
namespace {

std::atomic<Level> threshold{Level::info};

std::string_view name(Level level) {
  switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warning: return "warning";
    case Level::error: return "error";
  }
  return "error";
}

void append_value(std::string& out, std::string_view value) {
  bool plain = !value.empty();
  for (unsigned char c : value) plain = plain && c > 0x20 && c != '"' && c != '=' && c != '\\' && c != 0x7f;
  if (plain) {
    out += value;
    return;
  }
  out += '"';
  for (unsigned char c : value) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c < 0x20 || c == 0x7f) {
      out += "\\x" + hex(std::string_view(reinterpret_cast<const char*>(&c), 1));
    } else {
      out += static_cast<char>(c);
    }
  }
  out += '"';
}

// A log that cannot be written must not stop mail: what standard error does not take at once is lost, and counted.
// It is asked before each write, since O_NONBLOCK would hold for all who share the open file, the administrator's
// terminal among them.  Another process that fills a pipe between the question and the write can still make us wait.
class StandardError {
 public:
  void put(std::string text) {
    std::lock_guard lock(one_at_a_time_);
    std::string before;
    if (torn_) before = "\n";
    if (lost_ > 0) before += line(Level::warning, "log.lost", {{"lines", std::to_string(lost_)}}) + '\n';
    std::string_view rest = before;
    bool told = before.empty() || write(rest);
    if (told) lost_ = 0;
    if (told && write(rest = text)) return;
    ++lost_;
  }

 private:
  // Cuts off what was written; false: the rest was not.
  bool write(std::string_view& rest) {
    while (!rest.empty()) {
      pollfd ready{STDERR_FILENO, POLLOUT, 0};
      if (::poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) return false;
      // A pipe with room takes so much without waiting; pipe(7).
      auto written = ::write(STDERR_FILENO, rest.data(), std::min<std::size_t>(rest.size(), PIPE_BUF));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      torn_ = rest[static_cast<std::size_t>(written) - 1] != '\n';
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  }

  std::mutex one_at_a_time_;
  std::uint64_t lost_ = 0;   // lines since the last that was written
  bool torn_ = false;        // what was written last is the beginning of a line
};

StandardError& standard_error() {
  static StandardError* const kOnly = new StandardError;   // never destroyed: threads may log until the end
  return *kOnly;
}

void write_line(Level level, std::string_view event, Fields fields) {
  if (!enabled(level)) return;
  std::string text = line(level, event, fields);
  text += '\n';
  standard_error().put(std::move(text));
}

}  // namespace

void set_level(Level level) { threshold = level; }
bool enabled(Level level) { return level >= threshold.load(std::memory_order_relaxed); }

std::string line(Level level, std::string_view event, Fields fields) {
  std::string out = "time=" + rfc3339(Clock::system().now()) + " level=";
  out += name(level);
  out += " event=";
  append_value(out, event);
  for (const auto& [key, value] : fields) {
    out += ' ';
    out += key;
    out += '=';
    append_value(out, value);
  }
  return out;
}

void debug(std::string_view event, Fields fields) { write_line(Level::debug, event, fields); }
void info(std::string_view event, Fields fields) { write_line(Level::info, event, fields); }
void warning(std::string_view event, Fields fields) { write_line(Level::warning, event, fields); }
void error(std::string_view event, Fields fields) { write_line(Level::error, event, fields); }

}  // namespace postern::log
