-- To whom?  Stage rcpt answers RCPT TO; stage deliver runs once for each recipient of a message.

local internal = list "lists/internal.txt"
local limits = require "lib.limits"

rule "internal-only" {
  on    = "rcpt",
  about = "Addresses of lists/internal.txt take mail from our own people only.",
  check = function(mail, rcpt)
    if internal[rcpt.address] and not mail.conn.trusted then
      return reject("this address takes no mail from outside")
    end
  end,
}

test "an ordinary address takes mail from outside" {
  want = { verdict = "none" },
}

test "an internal address takes no mail from outside" {
  given = { rcpt = "everybody@internal.example" },
  want  = { verdict = "reject", rule = "internal-only" },
}

test "an internal address takes mail of our own people" {
  given = { rcpt = "everybody@internal.example", login = "anna@example.org" },
  want  = { verdict = "none" },
}

rule "own-points" {
  on    = "deliver",
  about = "Points of stage rcpt count for one recipient only; with them his copy may be junk.",
  check = function(mail, rcpt)
    if mail.score >= limits.junk then return tag("Junk", "score " .. mail.score .. " for " .. rcpt.address) end
  end,
}

test "many points make junk" {
  given = { score = limits.junk },
  want  = { verdict = "junk", folder = "Junk", rule = "own-points" },
}

test "few points do not" {
  given = { score = limits.junk - 0.1 },
  want  = { verdict = "none" },
}
