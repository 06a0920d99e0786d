-- Mail of our own users, who logged in to send it.  The rules of the other files are for what comes in, but those with
-- direction = "both".  What is quarantined here is held in the sender's own mailbox Held, where only an administrator
-- lets it go; a rejection is what his mail program shows him.  How much he may send is in [submission] of the
-- configuration: this is about what he sends.

local gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

rule "outgoing-gtube" {
  on        = "message",
  direction = "out",
  about     = "The test string for spam filters: proves that outgoing mail is looked at.",
  check = function(mail)
    if mail.text:find(gtube, 1, true) then return quarantine("the test string GTUBE", "spam") end
  end,
}

test "GTUBE is held on its way out" {
  given = { login = "anna@example.org", text = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X" },
  want  = { verdict = "quarantine", class = "spam", rule = "outgoing-gtube" },
}

test "an ordinary message goes out" {
  given = { login = "anna@example.org" },
  want  = { verdict = "none" },
}

test "a virus is held on its way out" {
  given   = { login = "anna@example.org" },
  scanner = "Eicar-Signature",
  all     = true,
  want    = { verdict = "quarantine", class = "virus", rule = "virus" },
}

test "what could not be scanned waits in the mail program" {
  given   = { login = "anna@example.org" },
  scanner = { error = "scanner away" },
  all     = true,
  want    = { verdict = "defer", rule = "virus" },
}

-- A program that nobody at home should open is not sent either.
local programs = re([[\.(bat|cmd|com|cpl|exe|hta|js|jse|lnk|msi|pif|ps1|scr|vbe|vbs|wsf)$]], "i")

rule "outgoing-programs" {
  on        = "message",
  direction = "out",
  about     = "Programs as attachments are refused: most servers refuse them too, and so the sender knows at once.",
  check = function(mail)
    for _, attachment in ipairs(mail.attachments) do
      if programs:test(attachment.name) then return reject("the attachment " .. attachment.name .. " is a program; put it into a place where it can be fetched") end
    end
  end,
}

test "a program is refused on its way out" {
  given = { login = "anna@example.org", attachments = { "setup.exe" } },
  want  = { verdict = "reject", rule = "outgoing-programs" },
}

test "a document goes out" {
  given = { login = "anna@example.org", attachments = { "letter.pdf" } },
  want  = { verdict = "none" },
}

test "the sender's address at home is in no list" {
  given = { login = "anna@example.org", ip = "198.51.100.9", helo = "laptop" },
  dns   = { ["9.100.51.198.zen.spamhaus.org A"] = "127.0.0.10" },
  all   = true,
  want  = { verdict = "none" },
}
