-- "Boss fraud": a stranger who writes under the name of somebody of ours.  Copy this file into the rules
-- folder and put your names and your domain in, here and in the tests.
local names = re([[^(erika\s+mustermann|max\s+mustermann)$]], "i")
local ours = "example.org"

rule "boss-fraud" {
  on    = "message",
  about = "A stranger under a name of ours.",
  check = function(mail)
    if mail.conn.login or not names:test(mail.from_name) then return end
    if mail.from_domain ~= ours or mail.dmarc.result ~= "pass" then
      return tag("Junk", mail.from_name .. " does not write from " .. mail.from_domain)
    end
  end,
}

test "a stranger with a name of ours goes to Junk" {
  given = { from = "Erika Mustermann <boss@freemail.example>" },
  want  = { verdict = "junk", rule = "boss-fraud" },
}

test "the real one passes" {
  given = { from = "Erika Mustermann <erika@example.org>", dmarc = "pass" },
  want  = { verdict = "none" },
}
