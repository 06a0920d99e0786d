-- From whom, to whom?

local partners = list "lists/partners.txt"
local blocked = list "lists/blocked.txt"
local address = require "std.address"

-- When DNS gives no answer about the sender's domain: "defer" lets the sender try again later,
-- "pass" takes the message without this check.
local when_dns_is_dead = "defer"

rule "blocked-senders" {
  on    = "mail",
  about = "Senders and networks of lists/blocked.txt are refused.",
  check = function(mail)
    if blocked[mail.sender] then return reject(mail.sender .. " is not welcome here") end
    if blocked[mail.conn.ip] then return reject(mail.conn.ip .. " is not welcome here") end
  end,
}

test "a blocked sender is refused" {
  given = { sender = "anna@blocked.example" },
  dns   = { ["blocked.example MX"] = "10 mx.blocked.example" },
  want  = { verdict = "reject", rule = "blocked-senders" },
}

test "who is not blocked passes" {
  want = { verdict = "none" },
}

rule "sender-domain" {
  on    = "mail",
  about = "The sender's domain must be able to take mail, or nobody could be told of a failure.",
  check = function(mail)
    local domain = mail.sender_domain
    if mail.conn.trusted or domain == "" or domain:sub(1, 1) == "[" then return end

    local mx, problem = dns.mx(domain)
    if mx then
      -- RFC 7505: one MX with the name "." says that the domain never takes mail.
      if #mx == 1 and (mx[1].host == "" or mx[1].host == ".") then return reject(domain .. " takes no mail (null MX)") end
      return
    end
    if problem == "nodata" then
      -- RFC 5321 5.1: without an MX the host itself is asked.
      local a, a_problem = dns.a(domain)
      if a then return end
      local aaaa, aaaa_problem = dns.aaaa(domain)
      if aaaa then return end
      if a_problem == "temperror" or aaaa_problem == "temperror" then problem = "temperror" end
    end
    if problem == "temperror" then
      if when_dns_is_dead == "defer" then return defer("the domain " .. domain .. " cannot be looked up at the moment") end
      return
    end
    return reject("the domain " .. domain .. " does not exist or takes no mail")
  end,
}

test "a domain with an MX passes" {
  dns  = { ["sender.example MX"] = "10 mx.sender.example" },
  want = { verdict = "none" },
}

test "a domain with only an address passes" {
  dns  = { ["sender.example A"] = "192.0.2.7" },
  want = { verdict = "none" },
}

test "a domain that does not exist is refused" {
  given = { sender = "anna@nowhere.example" },
  want  = { verdict = "reject", rule = "sender-domain" },
}

test "a domain with a null MX is refused" {
  dns  = { ["sender.example MX"] = "0 ." },
  want = { verdict = "reject", rule = "sender-domain", why = "null MX" },
}

test "a domain that cannot be looked up is deferred" {
  dns  = { ["sender.example MX"] = "SERVFAIL" },
  want = { verdict = "defer", rule = "sender-domain" },
}

test "the null sender passes" {
  given = { sender = "" },
  want  = { verdict = "none" },
}

test "our own users are not asked for DNS" {
  given = { sender = "anna@nowhere.example", login = "anna@example.org" },
  want  = { verdict = "none" },
}

rule "partners" {
  on    = "message",
  about = "Mail of lists/partners.txt skips the other rules of this stage but the required ones, if it really comes from them.",
  check = function(mail)
    if partners[mail.conn.ip] then return accept("a partner's host: " .. mail.conn.ip) end
    if not partners[mail.sender] then return end
    if mail.spf.result == "pass" then return accept("partner " .. mail.sender .. ", confirmed by SPF") end
    for _, domain in ipairs(mail.dkim.domains) do
      if address.same_or_below(mail.sender_domain, domain) then
        return accept("partner " .. mail.sender .. ", signed by " .. domain)
      end
    end
  end,
}

test "a partner whose SPF passes is accepted" {
  given = { sender = "anna@partner.example", spf = "pass" },
  dns   = { ["partner.example MX"] = "10 mx.partner.example" },
  want  = { verdict = "accept", rule = "partners" },
}

test "who only claims to be a partner is not" {
  given = { sender = "anna@partner.example", spf = "softfail" },
  dns   = { ["partner.example MX"] = "10 mx.partner.example" },
  want  = { verdict = "none" },
}

test "no partner brings a virus in" {
  given   = { sender = "anna@partner.example", spf = "pass", name = "mail.partner.example" },
  dns     = { ["partner.example MX"] = "10 mx.partner.example" },
  scanner = "Eicar-Signature",
  all     = true,
  want    = { verdict = "quarantine", class = "virus", rule = "virus" },
}
