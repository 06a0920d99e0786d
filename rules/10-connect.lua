-- Who is calling?  Stage connect runs before the greeting, stage mail knows HELO too.  By LMTP from a relay that does
-- not say who gave it the message, conn.known is false and the address is the relay's.

-- DNS lists.  All are asked at once; the first in this order that lists the address counts.  Read their
-- terms of use: most are free only for small sites, and refuse questions that come by a public resolver.
-- A list that is dead, refuses or lists everything is switched off by itself for a while.
local zones = { "zen.spamhaus.org" }

-- These answers mean "dial-up range": no proof of spam, so they only cost points.
local dial_up = { ["127.0.0.10"] = true, ["127.0.0.11"] = true }

rule "dnsbl" {
  on    = "connect",
  about = "Refuse known spam sources; dial-up ranges only cost points.",
  check = function(conn)
    if conn.trusted or not conn.known then return end
    local zone, code = dns.first_listed(conn.ip, zones)
    if not zone then return end
    if dial_up[code] then return score(3, "a dial-up range by " .. zone) end
    return reject(conn.ip .. " is listed by " .. zone)
  end,
}

test "a listed host is refused" {
  given = { ip = "198.51.100.9" },
  dns   = { ["9.100.51.198.zen.spamhaus.org A"] = "127.0.0.2" },
  want  = { verdict = "reject", rule = "dnsbl" },
}

test "a dial-up range costs points" {
  given = { ip = "198.51.100.9", name = "host.example" },
  dns   = { ["9.100.51.198.zen.spamhaus.org A"] = "127.0.0.10" },
  want  = { verdict = "ham", rule = "dnsbl", score = 3 },
}

test "a host that no list knows passes" {
  given = { ip = "198.51.100.9", name = "host.example" },
  want  = { verdict = "none" },
}

test "a list that refuses our questions lists nobody" {
  given = { ip = "198.51.100.9", name = "host.example" },
  dns   = { ["9.100.51.198.zen.spamhaus.org A"] = "127.255.255.254" },
  want  = { verdict = "none" },
}

test "a dead list lists nobody" {
  given = { ip = "198.51.100.9", name = "host.example" },
  dns   = { ["9.100.51.198.zen.spamhaus.org A"] = "TIMEOUT" },
  want  = { verdict = "none" },
}

test "a relay's own address is asked of nobody" {
  given = { ip = "198.51.100.9", known = false },
  dns   = { ["9.100.51.198.zen.spamhaus.org A"] = "127.0.0.2" },
  want  = { verdict = "none" },
}

rule "reverse-name" {
  on    = "mail",
  about = "A mail server has a name that leads back to its address.",
  check = function(mail)
    local conn = mail.conn
    if conn.trusted or not conn.known then return end
    if conn.reverse == "none" then return score(1, conn.ip .. " has no reverse name") end
    if conn.reverse == "unconfirmed" then return score(0.5, "the name " .. conn.ptr .. " does not lead back to " .. conn.ip) end
  end,
}

test "a host without a name costs a point" {
  want = { rule = "reverse-name", score = 1 },
}

test "a name that leads elsewhere costs half a point" {
  given = { ptr = "forged.example" },
  want  = { rule = "reverse-name", score = 0.5 },
}

test "a host with a name that is true passes" {
  given = { name = "mail.sender.example" },
  want  = { verdict = "none" },
}

rule "helo" {
  on    = "mail",
  about = "HELO names the client: a bare address or a name without a dot is what infected machines say.",
  check = function(mail)
    local conn = mail.conn
    if conn.trusted or not conn.known then return end
    local helo = conn.helo
    if helo:find("^%d+%.%d+%.%d+%.%d+$") then return score(1.5, "HELO is a bare address: " .. helo) end
    local literal = helo:match("^%[(%d+%.%d+%.%d+%.%d+)%]$")
    if literal and not conn.ip:find(":") and literal ~= conn.ip then return score(1, "HELO is the address of another host: " .. helo) end
    if not helo:find("[.:]") then return score(1, "HELO is no full name: " .. helo) end
  end,
}

test "a bare address as HELO costs points" {
  given = { helo = "192.0.2.1", name = "mail.sender.example" },
  want  = { rule = "helo", score = 1.5 },
}

test "HELO without a dot costs a point" {
  given = { helo = "pc", name = "mail.sender.example" },
  want  = { rule = "helo", score = 1 },
}

test "the address of another host as HELO costs a point" {
  given = { ip = "192.0.2.1", helo = "[198.51.100.7]", name = "mail.sender.example" },
  want  = { rule = "helo", score = 1 },
}

test "an address literal is a proper HELO" {
  given = { ip = "192.0.2.1", helo = "[192.0.2.1]", name = "mail.sender.example" },
  want  = { verdict = "none" },
}
