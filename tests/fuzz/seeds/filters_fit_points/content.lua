-- What does it say?

local address = require "std.address"

local gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

rule "gtube" {
  on    = "message",
  about = "The test string for spam filters: proves that the filter is on.",
  check = function(mail)
    if mail.text:find(gtube, 1, true) then return quarantine("the test string GTUBE", "spam") end
  end,
}

test "GTUBE is quarantined" {
  given = { text = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X" },
  want  = { verdict = "quarantine", class = "spam", rule = "gtube" },
}

rule "missing-headers" {
  on    = "message",
  about = "Every message has From and Date (RFC 5322 3.6); proper programs also add Message-ID and Subject.",
  check = function(mail)
    local points, missing = 0, {}
    for _, field in ipairs { { "From", 2 }, { "Date", 1.5 }, { "Message-ID", 0.5 }, { "Subject", 0.3 } } do
      if not mail.header[field[1]] then
        points = points + field[2]
        missing[#missing + 1] = field[1]
      end
    end
    if points > 0 then return score(points, "without " .. table.concat(missing, ", ")) end
  end,
}

test "a message without From and Date costs points" {
  given = { header = { From = false, Date = false } },
  want  = { rule = "missing-headers", score = 3.5 },
}

test "a proper message passes" {
  want = { verdict = "none" },
}

rule "many-from" {
  on    = "message",
  about = "Two From fields: one for the filter, one for the reader.",
  check = function(mail)
    if #mail.header("From") > 1 then return score(4, "more than one From field") end
  end,
}

test "two From fields cost points" {
  given = { header = { From = { "a@sender.example", "b@bank.example" } } },
  want  = { rule = "many-from", score = 4 },
}

rule "false-name" {
  on    = "message",
  about = "The name in From shows an address of another domain than the real one.",
  check = function(mail)
    local shown = mail.from_name:match("[%w._+-]+@([%w.-]+%.%a+)")
    if not shown then return end
    shown = shown:lower()
    if not address.same_or_below(shown, mail.from_domain) and not address.same_or_below(mail.from_domain, shown) then
      return score(3, "the name in From shows " .. shown .. ", the address is at " .. mail.from_domain)
    end
  end,
}

test "a name that shows another domain costs points" {
  given = { from = '"service@bank.example" <x@sender.example>' },
  want  = { rule = "false-name", score = 3 },
}

test "a name that repeats the address passes" {
  given = { from = '"anna@sender.example" <anna@sender.example>' },
  want  = { verdict = "none" },
}

rule "false-link" {
  on    = "message",
  about = "A link that shows one host and leads to another.",
  check = function(mail)
    for _, link in ipairs(mail.links) do
      local shown = link.text:lower():match("^%s*https?://([%w.-]+)") or link.text:lower():match("^%s*(www%.[%w.-]+)")
      if shown and link.host ~= "" then
        shown = shown:gsub("^www%.", "")
        local host = link.host:gsub("^www%.", "")
        if not address.same_or_below(host, shown) and not address.same_or_below(shown, host) then
          return score(2, "a link shows " .. shown .. " and leads to " .. host)
        end
      end
    end
  end,
}

test "a link that lies costs points" {
  given = { links = { { url = "https://evil.example/x", text = "https://www.bank.example/login" } } },
  want  = { rule = "false-link", score = 2 },
}

test "a link that tells the truth passes" {
  given = { links = { { url = "https://login.bank.example/x", text = "www.bank.example" } } },
  want  = { verdict = "none" },
}
