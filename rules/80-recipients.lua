-- To whom?  Stage rcpt answers RCPT TO; stage deliver runs once for each recipient of a message.

local internal = list "lists/internal.txt"
local limits = require "lib.limits"

rule "internal-only" {
  on    = "rcpt",
  about = "Addresses of lists/internal.txt take mail from our own people only.",
  check = function(mail, rcpt)
    if internal[rcpt.address] and not mail.conn.login and not mail.conn.trusted then
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

rule "own-lists" {
  on    = "deliver",
  about = "Whom the recipient blocks is held, whom he allows passes though it looks like spam.  An author is allowed only when DMARC, SPF or DKIM prove him.",
  check = function(mail, rcpt)
    if rcpt.blocks then return quarantine("your list blocks " .. rcpt.blocks, "policy") end
    if rcpt.allows then
      local why = "your list allows " .. rcpt.allows
      return tag("INBOX", why), accept(why)
    end
  end,
}

test "a blocked author is held" {
  given = { blocks = "anna@sender.example" },
  want  = { verdict = "quarantine", class = "policy", rule = "own-lists" },
}

test "an allowed author passes with many points" {
  given = { allows = "@sender.example", dmarc = "pass", score = limits.junk },
  want  = { verdict = "ham", folder = "INBOX", rule = "own-lists" },
}

test "whose name anybody could write is not allowed" {
  given = { allows = "anna@sender.example", score = limits.junk },
  want  = { verdict = "junk", folder = "Junk" },
}

test "who is on no list of the recipient is judged like everybody" {
  given = { allows = "else@sender.example", blocks = "else@other.example", dmarc = "pass" },
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
