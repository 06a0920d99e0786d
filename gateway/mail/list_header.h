#pragma once

#include <string>
#include <string_view>
#include <vector>

// What a mailing list makes of the header of a message that is written to it.  Pure.
namespace postern::mail {

// The list's own values are ours; the message may hold anything.
struct ListHeader {
  std::string address;         // "team@corp.example"
  std::string name;            // for people; ASCII or UTF-8, "": the address
  std::string request, subscribe, unsubscribe, owner, bounces;   // its other addresses; subscribe "": it is closed
  std::string prefix;          // of the subject, ASCII; "": none
  bool takes_posts = true;     // from its members
  bool unsubscribe_apart = false;   // unsubscribe_fields() stand before the message, for each member his own
  bool reply_to_list = false;
  bool set_sender = true;
  bool rewrite_from = false;   // "Ann via Team" <team@...>, with the author in Reply-To
};

// The message as its members get it: RFC 2369, RFC 2919, RFC 8058 3.1, Precedence and Sender before its own fields.  What
// other lists wrote there goes, and what asks for receipts: hundreds would answer.  The body is the same octet for octet.
std::string list_message(std::string_view message, const ListHeader& list);

// List-Unsubscribe with the list's address for it, and with `link` (https; "": none) by one click too.
std::string unsubscribe_fields(const std::string& address, const std::string& link);

// A DKIM signature that a message came with.
struct Seal {
  std::string domain;
  std::string selector;
  bool operator==(const Seal&) const = default;
};
// Whether each of these signatures of `before` seals the same fields in `after`; the bodies are the same.  False also when
// there is none.  RFC 6376 5.4.2.
bool keeps_seals(std::string_view before, std::string_view after, const std::vector<Seal>& seals);

// A name before an address: quoted, or encoded words where it is no ASCII.  RFC 5322 3.2.5, RFC 2047 5 (3).
std::string phrase(std::string_view name);

}  // namespace postern::mail
