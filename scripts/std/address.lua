-- require "std.address": questions about domains.
local address = {}

-- Whether `domain` is `parent` or lies below it: mail.bank.example is below bank.example.
function address.same_or_below(domain, parent)
  if domain == parent then return domain ~= "" end
  if parent == "" then return false end
  local tail = "." .. parent
  return #domain > #tail and domain:sub(-#tail) == tail
end

-- What stands behind the @, in lower case; "" when there is none.
function address.domain(text)
  return (text:match("@([^@]*)$") or ""):lower()
end

return address
