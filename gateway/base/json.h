#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// Writes JSON (RFC 8259) piece by piece where a tree would cost too much: the trace of every message.
namespace postern {

// Appends a string with its quotes.  Octets that are no UTF-8 become U+FFFD, one for each.
void append_json(std::string& out, std::string_view text);

// Puts commas, and names before values.
//   JsonText json; json.open('{'); json.member("a", "x"); json.open('[', "list"); json.text("y"); json.close(']'); json.close('}');
class JsonText {
 public:
  void open(char bracket, std::string_view name = {});
  void close(char bracket);
  void member(std::string_view name, std::string_view value);
  void number(std::string_view name, double value);
  void count(std::string_view name, std::uint64_t value);
  void yes(std::string_view name);                            // true
  void raw(std::string_view name, std::string_view json);     // as it is
  void text(std::string_view value);                          // in an array
  std::string take() { return std::move(out_); }

 private:
  void begin(std::string_view name);
  std::string out_;
};

}  // namespace postern
