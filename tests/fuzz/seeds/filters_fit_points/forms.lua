--[[ rule "no" { points = 1 } ]]
local long = [==[ rule "no" { points = 3 } ]] ]==]
rule "false-link" {
  on = "message", points = 2,  -- why
  check = function(mail) for _ = 1, 2 do if mail then points = 8 end end return score("why") end,
}
rule("missing-headers") { points = { From = 2, ["Message-ID"] = .5; Subject = -0.25, }, check = f }
rule "computed" { points = limits.junk / 2, check = f }
rule ("last") ({ check = f, points = 0x10 })
