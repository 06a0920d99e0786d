#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/store/store.h"

// Text forms of what the server says.  RFC 3501 7 and 9.
namespace postern::imap {

// "quoted", or {n} literal where a quoted string cannot hold it (CR, LF, 8-bit, very long).  NULs are dropped.
void append_string(std::string& out, std::string_view text);
// The same; NIL for nothing.
void append_nstring(std::string& out, std::optional<std::string_view> text);
// A mailbox name (UTF-8): modified UTF-7, as an atom or quoted.
void append_mailbox(std::string& out, std::string_view utf8);
// "(\Seen \Recent $Forwarded)".
void append_flags(std::string& out, std::uint8_t system, std::uint64_t keywords, const std::vector<std::string>& names, bool recent);
// Text for humans inside a response line: no CR, LF or NUL, 7-bit, bounded.
std::string response_text(std::string_view text);

// The tagged end of a command.
struct Reply {
  enum class Kind : std::uint8_t { ok, no, bad, said };
  Reply(Kind k, std::string t) : kind(k), text(std::move(t)) {}
  static Reply ok(std::string text) { return {Kind::ok, std::move(text)}; }
  static Reply no(std::string text) { return {Kind::no, std::move(text)}; }
  static Reply bad(std::string text) { return {Kind::bad, std::move(text)}; }
  // The command has answered by itself.
  static Reply said() { return {Kind::said, {}}; }
  // Of a change that the store refused: with its response code, RFC 5530, RFC 9051 7.1.
  static Reply refused(const store::Change& change, bool target_may_be_created = false);
  std::string line(std::string_view tag) const;

  Kind kind;
  std::string text;   // response code included
};

}  // namespace postern::imap
