-- From how many points on what happens; used by 80-recipients.lua and 90-verdict.lua.
return {
  junk       = 5,
  quarantine = 9,
  reject     = 25,
}
