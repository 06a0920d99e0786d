// The words of the rule language that are functions.  A test holds them against the names that rules really find.
#include "filters/lua/reference.h"

namespace postern::filters::lua {
namespace {

constexpr ToolInfo kTools[] = {
    {"rule", "rule \"NAME\" { on = \"STAGE\", about = \"TEXT\", check = FUNCTION }",
     "Defines a rule. Also: `direction` = \"in\", \"out\" or \"both\"; `required` = true: no accept hides it and it is never switched off; `shadow` = true: it is "
     "shown and counts for nothing."},
    {"test", "test \"NAME\" { given = {...}, want = {...} }",
     "Sends a message through the real judge when the rules are loaded; rules whose tests fail never come into force. Also: `dns`, `scanner`, `clock`, `before`, `all`."},
    {"score", "score(POINTS, \"why\")", "Adds points to the message, at stage rcpt to that recipient's copy."},
    {"tag", "tag(FOLDER, \"why\")", "Delivers into that folder; \"Junk\" and \"INBOX\" are the recipient's own, \"Quarantine\" holds it."},
    {"accept", "accept \"why\"", "Ends the reading of its stage. Never overrules a rule with required."},
    {"defer", "defer \"why\"", "451: the sender is asked to try again later."},
    {"quarantine", "quarantine(\"why\", CLASS)", "Takes the message and holds it. CLASS: \"spam\" (also when it is left out), \"policy\" or \"virus\"."},
    {"reject", "reject \"why\"", "550: refused for good. The reason reaches the sender."},
    {"redirect", "redirect(ADDRESS, \"why\")", "This recipient's copy goes to another account here."},
    {"journal", "journal(ADDRESS, \"why\")", "Keeps a copy at ADDRESS, whatever becomes of the message, unless it is refused."},
    {"list", "list \"lists/x.txt\"", "A list of domains, addresses, networks or words, read again when it changes. `l[x]`, `l:has(x)` or `l(x)` asks it, `#l` counts."},
    {"re", "re(PATTERN, FLAGS)", "A Perl-compatible pattern. Flags: i m s x, and b: octets, not UTF-8. `p:test(text)`, `p:match(text)`, `p:find(text)`, `p:count(text)`, `p:count_lines(text)`."},
    {"require", "require \"x.y\"", "A module: `std.*` come with Postern, all others lie in the rules folder."},
    {"dns.a", "dns.a(name)", "List of addresses; or nil and why: \"nxdomain\", \"nodata\", \"temperror\"."},
    {"dns.aaaa", "dns.aaaa(name)", "The same of IPv6."},
    {"dns.mx", "dns.mx(name)", "List of tables `host`, `preference`; or nil and why."},
    {"dns.txt", "dns.txt(name)", "List of texts; or nil and why."},
    {"dns.ptr", "dns.ptr(address)", "List of names; or nil and why."},
    {"dns.listed", "dns.listed(WHAT, ZONE)", "Asks a DNS list for an address or a domain: the first code and a list of all codes; nil when it is not listed; nil and why when the list is in trouble."},
    {"dns.first_listed", "dns.first_listed(WHAT, {ZONES})", "Asks up to 32 lists at once: the first zone that lists it and its code, or nil."},
    {"count", "count(KEY, WINDOW)", "Counts one event and gives the number in the window, this one included."},
    {"remember", "remember(KEY, SPAN, VALUE)", "Remembers a key, or a value under it, over restarts too."},
    {"recall", "recall(KEY)", "The value as text, true when there was none, nil when nothing is remembered."},
    {"now", "now()", "Seconds since 1970."},
    {"log", "log(...)", "One line in the log, at most 20 a run."},
    {"print", "print(...)", "The same as log."},
};

}  // namespace

std::span<const ToolInfo> tool_infos() { return kTools; }

}  // namespace postern::filters::lua
