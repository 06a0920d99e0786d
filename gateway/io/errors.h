#pragma once

#include <stdexcept>
#include <string>

// The two ways in which a session is over.  Thrown by waits, caught once in Loop::spawn.
namespace postern::io {

// The peer closed, the connection broke, or TLS failed.
class Closed : public std::runtime_error {
 public:
  explicit Closed(const std::string& why) : std::runtime_error(why) {}
};

// A Deadline passed.
class TimedOut : public std::runtime_error {
 public:
  TimedOut() : std::runtime_error("deadline passed") {}
};

}  // namespace postern::io
