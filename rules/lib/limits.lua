-- From how many points on what happens; used by 80-recipients.lua and 90-verdict.lua.
return {
  junk       = 5,    -- into the folder Junk
  quarantine = 9,    -- into quarantine, class spam
  reject     = 25,   -- refused, and the sender is told
}
