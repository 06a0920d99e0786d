#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/imap/parser.h"
#include "gateway/store/types.h"

namespace postern::imap {

// A LIST with the options of RFC 5258 and RFC 6154.
struct ListRequest {
  std::string reference;                   // UTF-8
  std::vector<std::string> patterns;       // UTF-8
  bool subscribed = false;                 // selection options
  bool special_use = false;
  bool recursive_match = false;
  bool return_subscribed = false;          // return options
  bool extended = false;                   // any option or several patterns were given
};

Result<ListRequest> parse_list(Parser& parser);

struct ListAnswer {
  std::string name;                        // UTF-8
  std::vector<std::string_view> attributes;
  bool child_info = false;                 // CHILDINFO ("SUBSCRIBED"), RFC 5258 3.5
};

// Does one of the patterns, behind the reference, match?  Some milliseconds at worst, so ask name by name.
bool matches_any(const ListRequest& request, std::string_view name);

// Pure: what LIST answers for those names that its patterns match.  `subscriptions`: the names subscribed to.
std::vector<ListAnswer> list_candidates(const ListRequest& request, const std::vector<store::MailboxInfo>& mailboxes,
                                        const std::vector<std::string>& subscriptions);

// What LSUB shows for one subscription, into `shown`: name -> is subscribed itself.  RFC 3501 6.3.9: with '%' a
// subscribed child makes its parent appear.
void add_lsub(const ListRequest& request, const std::string& subscription, std::map<std::string, bool>& shown);

}  // namespace postern::imap
