#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// A TOML text as plain values with their lines, so that only document.cc knows the TOML library.
namespace postern::config {

struct Member;

struct Value {
  enum class Kind { text, number, boolean, list, table, other };
  Kind kind = Kind::table;
  int line = 0;
  std::string text;
  std::int64_t number = 0;
  bool boolean = false;
  std::vector<Value> list;
  std::vector<Member> members;   // of a table, in the order of the file

  // "a string", "a number", ...
  std::string_view kind_name() const;
};

struct Member {
  std::string key;
  int line = 0;
  Value value;
};

struct Document {
  Value root;
  // Of the syntax; "" when it is sound.  The library stops at the first one.
  std::string mistake;
  int line = 0;
};

Document parse_toml(std::string_view text);

}  // namespace postern::config
