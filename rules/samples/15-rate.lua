-- A limit on how much one host may send: copy this file into the rules folder to switch it on.
-- The tests begin with 50 and 100 messages: change them with the number.
local most, window = 100, "10m"

rule "rate" {
  on    = "mail",
  about = "More than 100 messages of one host in ten minutes have to wait.",
  check = function(mail)
    local conn = mail.conn
    if conn.trusted or conn.login or not conn.known then return end
    if count("rate " .. conn.ip, window) > most then return defer("too many messages from " .. conn.ip .. ", please slow down") end
  end,
}

test "an ordinary host is not slowed down" {
  before = { count = { ["rate 192.0.2.1"] = { 50, "10m" } } },
  want   = { verdict = "none" },
}

test "a host that floods us has to wait" {
  before = { count = { ["rate 192.0.2.1"] = { 100, "10m" } } },
  want   = { verdict = "defer", rule = "rate" },
}
