// Rules to learn from.  A test loads each one alone and runs its tests.
#include "filters/lua/reference.h"

namespace postern::filters::lua {
namespace {

constexpr RuleExample kExamples[] = {
    {"Somebody pretends to be the chief", "60-chief.lua", R"lua(-- The chief writes from our domain alone; his name at any other address is a fraud.
local ours = "corp.example"
local chief = re([[\bann\s+smith\b]], "i")

rule "chief-fraud" {
  on    = "message",
  about = "The chief's name with an address that is not ours.",
  check = function(mail)
    if mail.from_domain == ours or not chief:test(mail.from_name) then return end
    return quarantine("\"" .. mail.from_name .. "\" writes from " .. mail.from, "policy")
  end,
}

test "his name at a free provider is held" {
  given = { from = "Ann Smith <ann.smith.ceo@free.example>" },
  want  = { verdict = "quarantine", class = "policy", rule = "chief-fraud" },
}

test "he himself passes" {
  given = { from = "Ann Smith <ann@corp.example>" },
  want  = { verdict = "none" },
}
)lua"},
    {"A list of addresses that is edited while mail flows", "61-partners.lua", R"lua(-- lists/partners.txt: one domain, address or network a line.
local partners = list "lists/partners.txt"

rule "partners-are-welcome" {
  on    = "message",
  about = "Mail of partners that proves where it comes from.",
  check = function(mail)
    if mail.dmarc.result == "pass" and partners[mail.from_domain] then return score(-3, "a partner, proved by DMARC") end
  end,
}

test "a partner's name alone is no proof" {
  given = { from = "anna@partner.example", dmarc = "fail" },
  want  = { verdict = "none" },
}
)lua"},
    {"Too much of something in a short time", "62-burst.lua", R"lua(rule "password-resets" {
  on    = "message",
  about = "Somebody has twenty mails about passwords sent to one user in an hour.",
  check = function(mail)
    if not mail.subject:lower():find("password", 1, true) then return end
    if count("resets " .. mail.to[1], "1h") > 20 then return score(4, "the 21st mail about a password in an hour") end
  end,
}

test "the first ones pass" {
  given  = { to = "ben@example.org", subject = "Reset your password" },
  before = { count = { ["resets ben@example.org"] = { 3, "1h" } } },
  want   = { verdict = "none" },
}

test "a flood does not" {
  given  = { to = "ben@example.org", subject = "Reset your password" },
  before = { count = { ["resets ben@example.org"] = { 20, "1h" } } },
  want   = { rule = "password-resets", score = 4 },
}
)lua"},
    {"Known senders, remembered", "63-known.lua", R"lua(rule "new-sender-with-invoice" {
  on    = "message",
  about = "An invoice from somebody who never wrote before.",
  check = function(mail)
    local key = "wrote " .. mail.from
    local known = recall(key)
    remember(key, "180d")
    if known or not mail.subject:lower():find("invoice", 1, true) then return end
    return score(1.5, "an invoice, and the first mail of " .. mail.from)
  end,
}

test "a first invoice costs points" {
  given = { subject = "Invoice 4711" },
  want  = { rule = "new-sender-with-invoice", score = 1.5 },
}

test "from a known sender it does not" {
  given  = { subject = "Invoice 4711", from = "anna@sender.example" },
  before = { remember = { ["wrote anna@sender.example"] = true } },
  want   = { verdict = "none" },
}
)lua"},
    {"Asking DNS", "64-dns.lua", R"lua(rule "own-list" {
  on    = "connect",
  about = "A DNS list of our own, which only costs points.",
  check = function(conn)
    local code = dns.listed(conn.ip, "dnsbl.corp.example")   -- waits; nil: not listed, or the list does not answer
    if code then return score(2, "listed by us (" .. code .. ")") end
  end,
}

test "a listed host" {
  given = { ip = "198.51.100.9" },
  dns   = { ["9.100.51.198.dnsbl.corp.example A"] = "127.0.0.4" },
  want  = { rule = "own-list", score = 2 },
}
)lua"},
    {"For some recipients only", "65-recipients.lua", R"lua(rule "no-programs-for-sales" {
  on    = "deliver",
  about = "The group sales gets no programs, whatever they are called.",
  check = function(mail, rcpt)
    local sales = false
    for _, group in ipairs(rcpt.groups) do sales = sales or group == "sales" end
    if not sales then return end
    for _, attachment in ipairs(mail.attachments) do
      if attachment.name:lower():find("%.exe$") then return quarantine("a program for " .. rcpt.address, "policy") end
    end
  end,
}

test "sales do not get it" {
  given = { rcpt = "ben@example.org", groups = "sales", attachments = { "report.EXE" } },
  want  = { verdict = "quarantine", class = "policy" },
}

test "others do" {
  given = { rcpt = "ben@example.org", attachments = { "report.EXE" } },
  want  = { verdict = "none" },
}
)lua"},
    {"What our own users send", "71-own-out.lua", R"lua(rule "no-card-numbers" {
  on        = "message",
  direction = "out",
  about     = "Card numbers leave the company on paper.",
  check = function(mail)
    if mail.text:find("%f[%d]%d%d%d%d[ -]?%d%d%d%d[ -]?%d%d%d%d[ -]?%d%d%d%d%f[%D]") then return quarantine("a card number", "policy") end
  end,
}

test "a card number is held with its sender" {
  given = { login = "ann@corp.example", text = "It is 4111 1111 1111 1111.\r\n" },
  want  = { verdict = "quarantine", rule = "no-card-numbers" },
}

test "mail that comes in is not asked" {
  given = { text = "It is 4111 1111 1111 1111.\r\n" },
  want  = { verdict = "none" },
}
)lua"},
    {"Trying a rule on real mail before it counts", "72-shadow.lua", R"lua(rule "shouting" {
  on     = "message",
  shadow = true,            -- shown in X-Postern-Why, counts for nothing
  about  = "A subject without a single small letter.",
  check = function(mail)
    if #mail.subject > 20 and mail.subject:upper() == mail.subject then return score(1.5, "the subject shouts") end
  end,
}

test "a shadow changes nothing" {
  given = { subject = "BUY NOW AND SAVE A LOT" },
  want  = { verdict = "ham", score = 0 },
}
)lua"},
};

}  // namespace

std::span<const RuleExample> rule_examples() { return kExamples; }

}  // namespace postern::filters::lua
