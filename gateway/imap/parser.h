#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/base/clock.h"
#include "gateway/imap/sequence_set.h"
#include "gateway/store/types.h"

namespace postern::imap {

// Reads the syntax elements of RFC 3501 9 from one whole command, literals in place ("{3}\r\nabc").
//
// Each function consumes what it names and gives it, or gives nothing; after a failure the place is unspecified and
// the command is BAD.  Strict: exactly one space where the grammar has SP.  The text must outlive the parser.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ == text_.size(); }
  bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool accept(char c);
  bool sp() { return accept(' '); }
  // Consumes `word` (ASCII case-blind) when it stands here and no further atom character follows.
  bool accept_word(std::string_view word);
  std::string_view rest() const { return text_.substr(at_); }

  // ASTRING-CHAR except "+".
  std::optional<std::string_view> tag();
  std::optional<std::string_view> atom();
  // Letters, digits and dots: the names of FETCH items and sections, "RFC822.SIZE".  May be empty.
  std::string_view dotted_name();
  std::optional<std::string> string();                       // quoted or literal
  std::optional<std::string> astring();
  std::optional<std::optional<std::string>> nstring();       // inner nothing: NIL
  std::optional<std::string> list_mailbox();                 // astring that may have % and *
  std::optional<std::uint32_t> number();
  std::optional<std::uint64_t> number64();
  std::optional<SequenceSet> sequence_set();

  // A mailbox name as UTF-8, INBOX in capitals; the inner nothing: no modified UTF-7, so no such mailbox can be.
  std::optional<std::optional<std::string>> mailbox();

  // "\Seen", "$Forwarded", "keyword"; \Recent and unknown system flags are refused.  "(...)" or, for STORE, bare.
  std::optional<store::Flags> flag_list();
  std::optional<store::Flags> store_flags();

  // "1-Feb-1994", quoted or not: days since 1970-01-01.
  std::optional<std::int64_t> date();
  // "\" 1-Feb-1994 21:52:25 -0800\"".
  std::optional<Time> date_time();

 private:
  std::optional<std::string> quoted();
  std::optional<std::string> literal();
  bool add_flag(store::Flags& flags);
  template <class Allowed>
  std::string_view run(Allowed allowed);

  std::string_view text_;
  std::size_t at_ = 0;
};

bool is_atom_char(char c);

// A literal announced at the end of a line: "{12}", "{12+}" (RFC 7888).
struct Announced {
  std::uint64_t octets = 0;
  bool waits = true;        // the client waits for our "+"
};
std::optional<Announced> announced_literal(std::string_view line);

// Days since 1970-01-01 of a date that exists; nothing for 31-Feb.
std::optional<std::int64_t> day_number(int year, int month, int day);
// 1-12 for "Jan".."Dec" case-blind, 0 otherwise.
int month_number(std::string_view name);

}  // namespace postern::imap
