// Which mailboxes a LIST or LSUB shows.  RFC 3501 6.3.8-9, RFC 3348, RFC 5258, RFC 6154.
#include "gateway/imap/list.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/imap/mailbox_name.h"

namespace postern::imap {
namespace {

constexpr std::size_t kMaxPatterns = 100;
constexpr std::size_t kMaxPatternOctets = 4096;   // of all, each with the reference: every name is held against each octet

// Wildcards survive: '%' and '*' are printable ASCII.
std::optional<std::string> utf8_pattern(const std::string& wire) { return decode_utf7(wire); }

bool take_options(Parser& parser, bool selection, ListRequest& request) {
  if (!parser.accept('(')) return false;
  request.extended = true;
  if (parser.accept(')')) return true;
  do {
    auto option = parser.atom();
    if (!option) return false;
    if (iequals(*option, "SUBSCRIBED")) {
      (selection ? request.subscribed : request.return_subscribed) = true;
    } else if (selection && iequals(*option, "SPECIAL-USE")) {
      request.special_use = true;
    } else if (selection && iequals(*option, "RECURSIVEMATCH")) {
      request.recursive_match = true;
    } else {
      // There are no remote mailboxes; children and special uses are shown in every answer.
      bool idle = selection ? iequals(*option, "REMOTE") : iequals(*option, "CHILDREN") || iequals(*option, "SPECIAL-USE");
      if (!idle) return false;
    }
  } while (parser.sp());
  return parser.accept(')');
}

bool take_pattern(Parser& parser, ListRequest& request) {
  auto wire = parser.list_mailbox();
  if (!wire || request.patterns.size() == kMaxPatterns || wire->size() > 2 * kMaxNameOctets) return false;
  auto pattern = utf8_pattern(*wire);
  if (pattern) request.patterns.push_back(*std::move(pattern));  // what is no name matches none
  return true;
}

// nullptr, or why the patterns are too much.
const char* too_much(const ListRequest& request) {
  std::size_t sum = 0;
  for (const auto& pattern : request.patterns) {
    auto octets = request.reference.size() + pattern.size();
    if (octets > kMaxNameOctets) return "the reference and a pattern may have 1000 octets together";
    sum += octets;
  }
  return sum > kMaxPatternOctets ? "the patterns, each with the reference, may have 4096 octets together" : nullptr;
}

// What is known of a name while the answer is put together.
struct Node {
  bool exists = false;
  bool has_children = false;
  bool subscribed = false;
  bool child_subscribed = false;
  store::SpecialUse use = store::SpecialUse::none;
};

// All names and all their ancestors.
std::map<std::string, Node, std::less<>> tree_of(const std::vector<store::MailboxInfo>& mailboxes,
                                                 const std::vector<std::string>& subscriptions) {
  std::map<std::string, Node, std::less<>> nodes;
  for (const auto& mailbox : mailboxes) {
    auto& node = nodes[mailbox.name];
    node.exists = true;
    node.use = mailbox.use;
    for (auto slash = mailbox.name.find(kDelimiter); slash != std::string::npos; slash = mailbox.name.find(kDelimiter, slash + 1)) {
      nodes[mailbox.name.substr(0, slash)].has_children = true;
    }
  }
  for (const auto& name : subscriptions) {
    nodes[name].subscribed = true;
    for (auto slash = name.find(kDelimiter); slash != std::string::npos; slash = name.find(kDelimiter, slash + 1)) {
      nodes[name.substr(0, slash)].child_subscribed = true;
    }
  }
  return nodes;
}

std::vector<std::string_view> attributes_of(const ListRequest& request, const Node& node) {
  std::vector<std::string_view> out;
  if (!node.exists) out.push_back(request.extended ? "\\NonExistent" : "\\Noselect");
  out.push_back(node.has_children ? "\\HasChildren" : "\\HasNoChildren");
  if (node.subscribed && (request.subscribed || request.return_subscribed)) out.push_back("\\Subscribed");
  // RFC 6154 2: a server may give them in any LIST.
  auto use = store::attribute(node.use);
  if (!use.empty()) out.push_back(use);
  return out;
}

}  // namespace

Result<ListRequest> parse_list(Parser& parser) {
  ListRequest request;
  auto wrong = Error("wants a reference and a pattern");
  if (parser.next_is('(') && (!take_options(parser, true, request) || !parser.sp())) return wrong;
  // RFC 5258 3.1: it modifies another option and means nothing alone.
  if (request.recursive_match && !request.subscribed && !request.special_use) return wrong;
  auto reference = parser.astring();
  if (!reference || !parser.sp()) return wrong;
  auto utf8 = decode_utf7(*reference);
  if (parser.accept('(')) {
    request.extended = true;
    do {
      if (!take_pattern(parser, request)) return wrong;
    } while (parser.sp());
    if (!parser.accept(')')) return wrong;
  } else if (!take_pattern(parser, request)) {
    return wrong;
  }
  if (parser.sp()) {
    if (!parser.accept_word("RETURN") || !parser.sp() || !take_options(parser, false, request)) return wrong;
  }
  if (!parser.at_end()) return wrong;
  if (utf8) {
    request.reference = *std::move(utf8);
  } else {
    request.patterns.clear();
  }
  if (const char* why = too_much(request)) return Error(why);
  return request;
}

bool matches_any(const ListRequest& request, std::string_view name) {
  return std::any_of(request.patterns.begin(), request.patterns.end(),
                     [&](const std::string& pattern) { return matches(with_inbox(request.reference + pattern), name); });
}

std::vector<ListAnswer> list_candidates(const ListRequest& request, const std::vector<store::MailboxInfo>& mailboxes,
                                        const std::vector<std::string>& subscriptions) {
  std::vector<ListAnswer> out;
  for (const auto& [name, node] : tree_of(mailboxes, subscriptions)) {
    bool chosen = node.exists || node.has_children;
    bool by_child = false;
    if (request.subscribed) {
      chosen = node.subscribed;
      by_child = request.recursive_match && node.child_subscribed;
    }
    if (request.special_use) chosen = chosen && !store::attribute(node.use).empty();
    if (!chosen && !by_child) continue;
    ListAnswer answer;
    answer.name = name;
    answer.attributes = attributes_of(request, node);
    answer.child_info = by_child;
    out.push_back(std::move(answer));
  }
  return out;
}

void add_lsub(const ListRequest& request, const std::string& subscription, std::map<std::string, bool>& shown) {
  if (matches_any(request, subscription)) {
    shown[subscription] = true;
    return;
  }
  bool percent = std::any_of(request.patterns.begin(), request.patterns.end(), [](const std::string& p) { return p.ends_with('%'); });
  auto slash = percent ? subscription.rfind(kDelimiter) : std::string::npos;
  for (; slash != std::string::npos && slash > 0; slash = subscription.rfind(kDelimiter, slash - 1)) {
    auto parent = subscription.substr(0, slash);
    if (matches_any(request, parent)) shown.try_emplace(parent, false);
  }
}

}  // namespace postern::imap
