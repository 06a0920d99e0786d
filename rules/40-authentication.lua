-- Is the sender who he says he is?  SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489).

rule "spf" {
  on    = "message",
  about = "SPF says whether the host may send for the domain; forwarding breaks it, so it only costs points.",
  check = function(mail)
    if mail.conn.trusted then return end
    local spf = mail.spf
    if spf.result == "fail" then
      -- An aligned signature outweighs it: the message was forwarded.
      if mail.dmarc.result == "pass" then return end
      return score(2.5, "SPF of " .. spf.domain .. " does not allow " .. mail.conn.ip)
    end
    if spf.result == "softfail" and mail.dmarc.result ~= "pass" then return score(1, "SPF of " .. spf.domain .. " doubts " .. mail.conn.ip) end
    if spf.result == "permerror" then return score(0.5, "SPF of " .. spf.domain .. " is broken: " .. spf.problem) end
  end,
}

test "a host that SPF forbids costs points" {
  given = { spf = "fail" },
  want  = { rule = "spf", score = 2.5 },
}

test "a forwarded message with an aligned signature passes" {
  given = { spf = "fail", dkim = "pass", dmarc = "pass" },
  want  = { verdict = "none" },
}

test "SPF that passes says nothing" {
  given = { spf = "pass" },
  want  = { verdict = "none" },
}

test "SPF without an answer says nothing" {
  given = { spf = { result = "temperror", problem = "no answer" } },
  want  = { verdict = "none" },
}

rule "dkim" {
  on    = "message",
  about = "A broken signature is a hint only: many mailing lists break them.",
  check = function(mail)
    if mail.dkim.result == "fail" and mail.list_id == "" then return score(0.5, "no DKIM signature is valid") end
  end,
}

test "a broken signature costs half a point" {
  given = { dkim = "fail" },
  want  = { rule = "dkim", score = 0.5 },
}

test "a mailing list may break signatures" {
  given = { dkim = "fail", list_id = "<talk.example.org>" },
  want  = { verdict = "none" },
}

local sealers = list "lists/sealers.txt"

rule "dmarc" {
  on    = "message",
  about = "The domain in From says what to do with forgeries; what cannot be checked now waits.",
  check = function(mail)
    if mail.conn.trusted then return end
    local dmarc = mail.dmarc
    if dmarc.result == "temperror" then
      -- A domain that only watches loses nothing; any other could be forged while DNS is away.
      if dmarc.policy ~= "none" or dmarc.record_domain == "" then return defer("DMARC cannot be checked now: " .. dmarc.problem) end
      return
    end
    -- A From that names nobody who could be asked, or too many, escapes every policy.  Without record_domain
    -- it is From that is wrong; else it is the domain's record, for which the author's mail need not suffer.
    if dmarc.result == "permerror" and dmarc.record_domain == "" then return score(3, "DMARC cannot be checked: " .. dmarc.problem) end
    if dmarc.result ~= "fail" then return end
    local sealer, why = mail.arc.rescued_by(sealers)
    if sealer then return score(0, "DMARC fails, but " .. why) end
    -- Mailing lists break signatures, but anybody can say that he is one: lists/partners.txt is for those
    -- that our people read.
    if mail.list_id ~= "" and dmarc.policy == "reject" then
      return quarantine("DMARC of " .. dmarc.domain .. " fails, perhaps by the mailing list " .. mail.list_id, "spam")
    end
    if dmarc.policy == "reject" then return reject("DMARC of " .. dmarc.domain .. " asks to refuse what it did not send") end
    if dmarc.policy == "quarantine" then return quarantine("DMARC of " .. dmarc.domain .. " asks to quarantine what it did not send", "spam") end
    return score(1, "DMARC of " .. dmarc.domain .. " fails")
  end,
}

test "a forgery of a strict domain is refused" {
  given = { dmarc = { result = "fail", policy = "reject", domain = "bank.example" } },
  want  = { verdict = "reject", rule = "dmarc" },
}

test "a forgery of a careful domain is quarantined" {
  given = { dmarc = { result = "fail", policy = "quarantine" } },
  want  = { verdict = "quarantine", class = "spam", rule = "dmarc" },
}

test "a domain that only watches costs a point" {
  given = { dmarc = { result = "fail", policy = "none" } },
  want  = { rule = "dmarc", score = 1 },
}

test "a mailing list is not refused" {
  given = { dmarc = { result = "fail", policy = "reject" }, list_id = "<talk.example.org>" },
  want  = { verdict = "quarantine", class = "spam", rule = "dmarc" },
}

test "a sealer whose word we take saw the author pass" {
  given = { from = "anna@bank.example", dmarc = { result = "fail", policy = "reject", domain = "bank.example" },
            arc = { sealers = { "sealer.example" }, saw = "dmarc=pass header.from=bank.example" } },
  want  = { verdict = "ham", score = 0 },
}

test "anybody else's word is worth nothing" {
  given = { from = "anna@bank.example", dmarc = { result = "fail", policy = "reject", domain = "bank.example" },
            arc = { sealers = { "evil.example" }, saw = "dmarc=pass header.from=bank.example" } },
  want  = { verdict = "reject", rule = "dmarc" },
}

test "nor is one that speaks of another author" {
  given = { from = "anna@bank.example", dmarc = { result = "fail", policy = "reject", domain = "bank.example" },
            arc = { sealers = { "sealer.example" }, saw = "dmarc=pass header.from=shop.example" } },
  want  = { verdict = "reject", rule = "dmarc" },
}

test "a mailing list that is a partner passes" {
  given = { sender = "talk-bounces@partner.example", spf = "pass", list_id = "<talk.partner.example>",
            name = "mail.partner.example", dmarc = { result = "fail", policy = "reject" } },
  dns   = { ["partner.example MX"] = "10 mx.partner.example" },
  all   = true,
  want  = { verdict = "accept", rule = "partners" },
}

test "a strict domain whose key or SPF record cannot be had waits" {
  given = { dmarc = { result = "temperror", policy = "reject", record_domain = "bank.example", problem = "no answer" } },
  want  = { verdict = "defer", rule = "dmarc", why = "no answer" },
}

test "a domain whose policy cannot be had waits" {
  given = { dmarc = { result = "temperror", problem = "no answer" } },
  want  = { verdict = "defer", rule = "dmarc" },
}

test "a domain that only watches does not wait" {
  given = { dmarc = { result = "temperror", policy = "none", record_domain = "shop.example", problem = "no answer" } },
  want  = { verdict = "none" },
}

test "a From without an author costs points" {
  given = { dmarc = { result = "permerror", problem = "there is no address in From" } },
  want  = { rule = "dmarc", score = 3, why = "no address" },
}

test "a From with an author whose mail passes and with an invalid one costs points" {
  given = { dmarc = { result = "permerror", domain = "shop.example", problem = "the domain of From is invalid" } },
  want  = { rule = "dmarc", score = 3 },
}

test "an invalid second address does not hide a forgery" {
  given = { from = "service@bank.example, x@a..b",
            dmarc = { result = "fail", policy = "reject", domain = "bank.example", problem = "the domain of From is invalid" } },
  want  = { verdict = "reject", rule = "dmarc" },
}

test "a domain with a broken record says nothing" {
  given = { dmarc = { result = "permerror", record_domain = "shop.example", problem = "p= is no policy" } },
  want  = { verdict = "none" },
}

test "DMARC that passes says nothing" {
  given = { dmarc = "pass" },
  want  = { verdict = "none" },
}
