#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

// How rows write numbers and strings.
namespace postern::store {

class Writer {
 public:
  Writer() : out_(1, kVersion) {}
  void number(std::uint64_t value) {
    while (value >= 0x80) {
      out_.push_back(static_cast<char>((value & 0x7f) | 0x80));
      value >>= 7;
    }
    out_.push_back(static_cast<char>(value));
  }
  void signed_number(std::int64_t value) {   // zigzag: small for small amounts of both signs
    auto bits = static_cast<std::uint64_t>(value);
    number((bits << 1) ^ (value < 0 ? ~0ULL : 0ULL));
  }
  void text(std::string_view value) {
    number(value.size());
    out_.append(value);
  }
  void fraction(double value) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    number(bits);
  }
  std::string take() { return std::move(out_); }

  static constexpr char kVersion = 1;

 private:
  std::string out_;
};

// Reads what Writer wrote.  After the first mistake everything reads as 0 or "" and done() is false.
class Parser {
 public:
  explicit Parser(std::string_view in) : in_(in) {
    if (in_.empty() || in_[0] != Writer::kVersion) fail();
    else in_.remove_prefix(1);
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (in_.empty()) break;
      auto octet = static_cast<unsigned char>(in_[0]);
      in_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
    fail();
    return 0;
  }
  std::uint64_t number_up_to(std::uint64_t most) {
    auto value = number();
    if (value <= most) return value;
    fail();
    return 0;
  }
  std::int64_t signed_number() {
    auto bits = number();
    return static_cast<std::int64_t>((bits >> 1) ^ (~(bits & 1) + 1));
  }
  std::string text() {
    auto length = number();
    if (length > in_.size()) {
      fail();
      return {};
    }
    std::string value(in_.substr(0, length));
    in_.remove_prefix(length);
    return value;
  }
  double fraction() {
    auto bits = number();
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  // A count of things that take at least an octet each: a damaged one allocates nothing.
  std::size_t count() { return static_cast<std::size_t>(number_up_to(in_.size())); }
  bool failed() const { return failed_; }
  bool done() const { return !failed_ && in_.empty(); }

 private:
  void fail() {
    failed_ = true;
    in_ = {};
  }
  std::string_view in_;
  bool failed_ = false;
};

}  // namespace postern::store
