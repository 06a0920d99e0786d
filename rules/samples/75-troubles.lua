-- Who writes to many addresses that are none has bought a list, or somebody sends in his name: copy this file into the
-- rules folder to hold his mail until somebody has looked.  The abuse desk tells postmaster in any case.
local most_bounces, most_complaints = 50, 3

rule "troubles" {
  on        = "message",
  direction = "out",
  about     = "Of a user with 50 dead addresses or 3 complaints within a day everything is held.",
  check = function(mail)
    if mail.sender_complaints >= most_complaints then return quarantine(mail.sender_complaints .. " complaints within a day", "policy") end
    if mail.sender_bounces >= most_bounces then return quarantine(mail.sender_bounces .. " dead addresses within a day", "policy") end
  end,
}

test "a user whose mail makes no trouble sends" {
  given = { login = "anna@example.org", sender_bounces = 10, sender_complaints = 1, sender_held = 5 },
  want  = { verdict = "none" },
}

test "the mail of a user who writes to dead addresses is held" {
  given = { login = "anna@example.org", sender_bounces = 50 },
  want  = { verdict = "quarantine", class = "policy", rule = "troubles", why = "50 dead addresses" },
}

test "the mail of a user of whom readers complain is held" {
  given = { login = "anna@example.org", sender_complaints = 3 },
  want  = { verdict = "quarantine", class = "policy", rule = "troubles", why = "3 complaints" },
}
