-- What every rule finds before its first line.  Part of Postern: replaced by each update.
--
-- Functions that call back into a rule are written in Lua, so that the callback may read a fact
-- that has to be waited for (a C function cannot be left in the middle).

local next_match = __next_match
__next_match = nil

local gsub_text = string.gsub
local sub, concat = string.sub, table.concat

-- The replacement of one match: nil or false keeps it.
local function replaced(whole, value)
  if not value then return whole end
  if type(value) ~= "string" and type(value) ~= "number" then
    error("gsub: the replacement is a " .. type(value) .. ", not a text", 0)
  end
  return value
end

function string.gsub(text, pattern, replacement, most)
  local kind = type(replacement)
  if kind ~= "function" and kind ~= "table" then return gsub_text(text, pattern, replacement, most) end
  text = tostring(text)
  local out, count, from, copied, last_end = {}, 0, 1, 1, nil
  local anchored = sub(pattern, 1, 1) == "^"

  local function step(first, last, ...)
    if not first then return false end
    if last == last_end then            -- an empty match directly behind the last one
      from = first + 1
      return not anchored
    end
    local value
    if kind == "function" then value = replacement(...) else value = replacement[(...)] end
    out[#out + 1] = sub(text, copied, first - 1)
    out[#out + 1] = replaced(sub(text, first, last), value)
    count = count + 1
    copied, from, last_end = last + 1, last + 1, last
    return not anchored
  end

  while from <= #text + 1 and (not most or count < most) do
    if not step(next_match(text, pattern, from)) then break end
  end
  out[#out + 1] = sub(text, copied)
  return concat(out), count
end

-- Merge sort: stable, and no comparison can break it.
function table.sort(list, before)
  before = before or function(a, b) return a < b end
  local count = #list
  local from, to = {}, {}
  for i = 1, count do from[i] = list[i] end
  local width = 1
  while width < count do
    for low = 1, count, 2 * width do
      local middle, high = low + width, low + 2 * width
      if middle > count + 1 then middle = count + 1 end
      if high > count + 1 then high = count + 1 end
      local left, right = low, middle
      for at = low, high - 1 do
        if left < middle and (right >= high or not before(from[right], from[left])) then
          to[at] = from[left]
          left = left + 1
        else
          to[at] = from[right]
          right = right + 1
        end
      end
    end
    from, to = to, from
    width = 2 * width
  end
  for i = 1, count do list[i] = from[i] end
end
