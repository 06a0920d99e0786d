-- What do the points come to?  The numbers are in lib/limits.lua; change them there, the tests follow.
-- Points of stage rcpt are not among mail.score here; 80-recipients.lua looks at them.

local limits = require "lib.limits"

rule "too-many-points" {
  on    = "verdict",
  about = "Certain spam is refused, probable spam quarantined, doubtful mail goes to Junk.",
  check = function(mail)
    local points = mail.score
    if points >= limits.reject then return reject "the message looks too much like spam" end
    if points >= limits.quarantine then return quarantine("score " .. points, "spam") end
    if points >= limits.junk then return tag("Junk", "score " .. points) end
  end,
}

test "a low score goes to the inbox" {
  given = { score = limits.junk - 0.1 },
  want  = { verdict = "none", folder = "INBOX" },
}

test "a doubtful score goes to Junk" {
  given = { score = limits.junk },
  want  = { verdict = "junk", folder = "Junk" },
}

test "a high score goes to quarantine" {
  given = { score = limits.quarantine },
  want  = { verdict = "quarantine", class = "spam", rule = "too-many-points" },
}

test "only a very high score is refused" {
  given = { score = limits.reject },
  want  = { verdict = "reject", rule = "too-many-points" },
}
