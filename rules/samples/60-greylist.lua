-- Greylisting, with care: copy this file into the rules folder to switch it on.
--
-- Only a doubtful message from a host that we do not know waits, so that one-time codes and first
-- letters of proper senders come at once.  Who has passed once is known for a month.
local wait   = 5 * 60       -- seconds until the second try counts
local memory = "30d"

rule "greylist" {
  on    = "verdict",
  about = "A doubtful message from an unknown host has to be sent twice.",
  check = function(mail)
    local conn = mail.conn
    if conn.trusted or conn.login or not conn.known or mail.score < 2 or mail.dmarc.result == "pass" then return end
    -- The /24 of an IPv4 address, roughly the /48 of an IPv6 address: big senders try again from another host.
    local network = conn.ip:match("^(%d+%.%d+%.%d+)%.") or conn.ip:sub(1, 14)
    if recall("grey passed " .. network) then return end

    local key = "grey " .. network .. " " .. mail.sender .. " " .. table.concat(mail.recipients, " ")
    local first = recall(key)
    if not first then
      remember(key, "2d", now())
      return defer "greylisted: please try again in five minutes"
    end
    if now() - tonumber(first) < wait then return defer "greylisted: please try again later" end
    remember("grey passed " .. network, memory)
  end,
}

test "a doubtful message from an unknown host waits" {
  given = { score = 3 },
  want  = { verdict = "defer", rule = "greylist" },
}

test "a harmless message does not wait" {
  given = { score = 1 },
  want  = { verdict = "none" },
}

test "an authenticated sender does not wait" {
  given = { score = 3, dmarc = "pass" },
  want  = { verdict = "none" },
}

test "a host that has passed before does not wait" {
  given  = { score = 3 },
  before = { remember = { ["grey passed 192.0.2"] = true } },
  want   = { verdict = "none" },
}

test "the second try passes" {
  given  = { score = 3 },
  clock  = "2026-11-24T10:10:00Z",
  before = { remember = { ["grey 192.0.2 anna@sender.example ben@example.org"] = "1795514400" } },
  want   = { verdict = "none" },
}

test "a second try that comes too early waits" {
  given  = { score = 3 },
  clock  = "2026-11-24T10:01:00Z",
  before = { remember = { ["grey 192.0.2 anna@sender.example ben@example.org"] = "1795514400" } },
  want   = { verdict = "defer" },
}
