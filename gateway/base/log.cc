// key=value log lines on standard error; journald and a human both read them.
#include "gateway/base/log.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

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

void write_line(Level level, std::string_view event, Fields fields) {
  if (!enabled(level)) return;
  std::string text = line(level, event, fields);
  text += '\n';
  // A log that cannot be written must not stop mail.
  [[maybe_unused]] auto written = ::write(STDERR_FILENO, text.data(), text.size());
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
