-- What must not get through.  Required rules are read before all others of their stage, and no accept
-- overrules them, whoever sent the message.

rule "virus" {
  on        = "message",
  about     = "Viruses go to the administrators' quarantine; what cannot be looked through is quarantined; what could not be scanned waits.",
  required  = true,
  direction = "both",
  check = function(mail)
    local virus = mail.virus  -- its state is "off" only when the configuration wants no scanner
    if virus.state == "found" then return quarantine("virus " .. virus.name, "virus") end
    if virus.state == "limit" then return quarantine("the message cannot be scanned: " .. virus.problem, "policy") end
    if virus.state == "error" then return defer("the message could not be scanned: " .. virus.problem) end
  end,
}

test "a virus is quarantined" {
  scanner = "Eicar-Signature",
  want    = { verdict = "quarantine", class = "virus", rule = "virus", why = "Eicar-Signature" },
}

test "a bomb is quarantined" {
  scanner = { limit = "the archive unpacks to more than 150 MiB" },
  want    = { verdict = "quarantine", class = "policy", rule = "virus", why = "150 MiB" },
}

test "a message that costs two scanners is quarantined" {
  scanner = { limit = "two scanners crashed on this message" },
  want    = { verdict = "quarantine", class = "policy", rule = "virus", why = "two scanners" },
}

test "what could not be scanned waits" {
  scanner = { error = "scanner away" },
  want    = { verdict = "defer", rule = "virus" },
}

test "a clean message passes" {
  scanner = "clean",
  want    = { verdict = "none" },
}

-- File names that Windows runs, or opens as a disk, when they are clicked.  The rule is not required:
-- lists/partners.txt may send them.  Add required = true if nobody may.
local programs = re([[\.(ade|bat|chm|cmd|com|cpl|dll|exe|hta|iso|img|jar|js|jse|lnk|msc|msi|msp|pif|ps1|reg|scr|sct|vb|vbe|vbs|wsf|wsh)$]], "i")

rule "programs" {
  on    = "message",
  about = "Programs as attachments are quarantined, even when no signature knows them.",
  check = function(mail)
    for _, attachment in ipairs(mail.attachments) do
      if programs:test(attachment.name) then return quarantine("the attachment " .. attachment.name .. " is a program", "policy") end
    end
  end,
}

test "a program is quarantined" {
  given = { attachments = { "letter.pdf", "Invoice.PDF.exe" } },
  want  = { verdict = "quarantine", class = "policy", rule = "programs" },
}

test "a document passes" {
  given = { attachments = { "letter.pdf" } },
  want  = { verdict = "none" },
}

-- What the rules above do not see cannot be judged by them; the scanner has looked at it in its own way.
rule "opaque" {
  on    = "message",
  about = "A message with more parts, levels, parameters or fields than are looked at hides something: quarantined.",
  check = function(mail)
    if mail.opaque then return quarantine("the message has more parts or parameters than can be looked at", "policy") end
  end,
}

test "a message that cannot be looked through is quarantined" {
  given = { opaque = true },
  want  = { verdict = "quarantine", class = "policy", rule = "opaque" },
}

test "a message that can be looked through passes" {
  want  = { verdict = "none" },
}
