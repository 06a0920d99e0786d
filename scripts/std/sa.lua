-- require "std.sa": runs rules that were translated from SpamAssassin.  One set is one table of tests; judge() asks
-- those that give points, and whatever their metas need, each once for a message.
local sets = {}
sets.__index = sets

-- Texts of the message as SpamAssassin's rules see them, each up to so many octets: a thousand rules must stay within
-- the time of one.
local longest = 16 * 1024
local texts = {}

function texts.body(mail) return mail.paragraphs:sub(1, longest) end
function texts.body_alone(mail) return mail.paragraphs:sub(1, longest):match("^[^\n]*\n(.*)$") or "" end
function texts.rawbody(mail) return mail.raw_text:sub(1, longest) end
function texts.full(mail) return mail.source:sub(1, longest) end
function texts.uri(mail)
  local urls = {}
  for at, link in ipairs(mail.links) do urls[at] = link.url end
  return table.concat(urls, "\n"):sub(1, longest)
end

local function fields(mail, ...)
  local values = {}
  for _, name in ipairs { ... } do
    for _, value in ipairs(mail.header(name)) do values[#values + 1] = value end
  end
  if #values == 0 then return nil end
  return table.concat(values, "\n")
end

-- The values of one field as received: with its folding, not decoded.
local function raw_field(mail, name)
  local values = {}
  name = name:lower()
  local current
  for line in (mail.header_source .. "\n"):gmatch("([^\n]*)\n") do
    local field, value = line:match("^([^%s:]+)[ \t]*:(.*)$")
    if field then
      current = field:lower() == name
      if current then values[#values + 1] = value:match("^ ?(.*)$") end
    elseif current then
      values[#values] = values[#values] .. "\n" .. line
    end
  end
  if #values == 0 then return nil end
  return table.concat(values, "\n")
end

-- The first address, or the name before it.
local function first_address(text)
  return text:match("<([^<>%s]*)>") or text:match("[^%s<>\"(),;:]+@[^%s<>\"(),;:]+")
end
local function first_name(text)
  local name = text:match("^%s*\"(.-)\"%s*<") or text:match("^%s*([^<\"]-)%s*<") or text:match("%((.-)%)")
  return name and name:match("^'?(.-)'?$")
end

-- Our client as the one relay that is not ours.
local function relays(mail)
  local conn = mail.conn
  return "[ ip=" .. conn.ip .. " rdns=" .. conn.ptr .. " helo=" .. conn.helo .. " by=us ident= envfrom=" .. mail.sender ..
         " intl=0 id= auth=" .. (conn.login or "") .. " msa=0 ]"
end

local special = {
  ["ALL"] = function(mail) return mail.header_text:sub(1, longest) end,
  ["ALL:raw"] = function(mail) return mail.header_source:sub(1, longest) end,
  ["ToCc"] = function(mail) return fields(mail, "To", "Cc") end,
  ["MESSAGEID"] = function(mail) return fields(mail, "Message-Id", "Resent-Message-Id", "X-Message-Id") end,
  ["EnvelopeFrom"] = function(mail) return mail.sender end,
  ["Return-Path"] = function(mail) return fields(mail, "Return-Path") or mail.sender end,
  ["X-Spam-Relays-External"] = relays,
  ["X-Spam-Relays-Untrusted"] = relays,
}

local function header_text(mail, field)
  if special[field] then return special[field](mail) end
  local name, what = field:match("^([^:]+):?([^:]*)")
  local text
  if what == "raw" then return raw_field(mail, name) end
  if special[name] then text = special[name](mail) else text = fields(mail, name) end
  if not text or what == "" then return text end
  if what == "addr" then return first_address(text) end
  return first_name(text)
end

-- Values of one field of all parts, each on its line.
local function part_fields(mail, name)
  local values = {}
  local begin = name:match("^[^:]+"):lower() .. ":"
  for line in mail.part_headers:gmatch("([^\n]*)\n") do
    if line:sub(1, #begin):lower() == begin then values[#values + 1] = line:sub(#begin + 1):match("^%s*(.*)$") end
  end
  return table.concat(values, "\n")
end

-- --- questions that SpamAssassin asks its functions

function sets.all_caps(subject)
  local letters = subject:gsub("[^%a]", "")
  return #letters >= 10 and letters == letters:upper() and subject:find("%s") ~= nil
end

function sets.recipient_in(mail, text, whole)
  text = text:lower()
  for _, address in ipairs(mail.to) do
    local user = whole and address:lower() or address:lower():match("^([^@]+)@")
    if user and #user > 2 and text:find(user, 1, true) then return true end
  end
  return false
end

function sets.from_name_is_recipient(mail)
  local name = mail.from_name:lower()
  for _, address in ipairs(mail.to) do
    if name == address:lower() then return true end
  end
  return false
end

function sets.attached(mail, pattern)
  for _, attachment in ipairs(mail.attachments) do
    if attachment.name:lower():find(pattern) then return true end
  end
  return false
end

-- Whether a part, or the message itself, is of this type.
function sets.has_part(mail, type)
  for line in mail.part_headers:gmatch("([^\n]*)\n") do
    local found = line:lower():match("^content%-type:%s*([^%s;]+)")
    if found == type then return true end
  end
  return false
end

function sets.ends_with_id(subject)
  return subject:find("%s%s%s+[-_%w]*%d[-_%w]*$") ~= nil or subject:find("[%[%(#][-_%w]*%d[-_%w]*[%]%)]?$") ~= nil
end

function sets.between(value, least, most) return value >= least and value <= most end

local months = { jan = 1, feb = 2, mar = 3, apr = 4, may = 5, jun = 6, jul = 7, aug = 8, sep = 9, oct = 10, nov = 11, dec = 12 }

-- Seconds since 1970 of a date in a header, or nil.  RFC 5322 3.3.
local function seconds_of(date)
  local day, month, year, hour, minute, second = date:match("(%d+)%s+(%a%a%a)%a*%s+(%d%d%d?%d?)%s+(%d+):(%d+):?(%d*)")
  month = month and months[month:lower()]
  if not month then return nil end
  day, year, hour, minute, second = tonumber(day), tonumber(year), tonumber(hour), tonumber(minute), tonumber(second) or 0
  if year < 70 then year = year + 2000 elseif year < 1000 then year = year + 1900 end
  local y, m = year, month
  if m <= 2 then y, m = y - 1, m + 12 end
  local days = 365 * y + y // 4 - y // 100 + y // 400 + (153 * (m - 3) + 2) // 5 + day - 719469
  local sign, hours, minutes = date:match("([+-])(%d%d)(%d%d)%f[^%d]")
  local shift = hours and (tonumber(hours) * 3600 + tonumber(minutes) * 60) or 0
  if sign == "-" then shift = -shift end
  return days * 86400 + hour * 3600 + minute * 60 + second - shift
end

-- Whether Date lies that many hours from now: at least `from`, less than `to`; nil is no limit.
function sets.shifted_date(mail, from, to)
  local date = mail.header["Date"]
  local seconds = date and seconds_of(date)
  if not seconds then return false end
  local hours = (seconds - now()) / 3600
  return (not from or hours >= from) and (not to or hours < to)
end

-- --- the table of tests

local one_hit = { max = 1 }

function sets:add(name, kind, test)
  test.kind = kind
  self.tests[name] = test
end

local function by_lines(kind)
  return function(self, name, pattern, flags, options)
    options = options or one_hit
    local text = options.subject == false and "body_alone" or kind
    self:add(name, "lines", { text = text, pattern = re(pattern, flags), max = options.max or 1 })
  end
end
local function whole(kind)
  return function(self, name, pattern, flags, options)
    self:add(name, "text", { text = kind, pattern = re(pattern, flags), max = (options or one_hit).max or 1 })
  end
end

sets.body, sets.uri = by_lines("body"), by_lines("uri")
sets.rawbody, sets.full = whole("rawbody"), whole("full")

function sets:header(name, field, pattern, flags, options)
  options = options or one_hit
  self:add(name, "header", { field = field, pattern = re(pattern, flags), max = options.max or 1, absent = options.absent, unset = options.unset })
end
function sets:mimeheader(name, field, pattern, flags, options)
  options = options or one_hit
  self:add(name, "mimeheader", { field = field, pattern = re(pattern, flags .. (flags:find("m") and "" or "m")), max = options.max or 1, absent = options.absent })
end
function sets:exists(name, field) self:add(name, "exists", { field = field }) end
function sets:fact(name, check) self:add(name, "fact", { check = check }) end
function sets:meta(name, check) self:add(name, "meta", { check = check }) end
function sets:score(name, points, about)
  self.scored[#self.scored + 1] = { name = name, points = points, why = about and name .. ": " .. about or name }
end

-- How often a test matches.
local ask = {}

function ask.lines(test, run) return test.pattern:count_lines(run.texts[test.text], test.max) end
function ask.text(test, run) return test.pattern:count(run.texts[test.text], test.max) end
function ask.header(test, run)
  local text = run.headers[test.field] or test.unset
  local hits = text and test.pattern:count(text, test.max) or 0
  if test.absent then return hits == 0 and 1 or 0 end
  return hits
end
function ask.mimeheader(test, run)
  local hits = test.pattern:count_lines(part_fields(run.mail, test.field), test.max)
  if test.absent then return hits == 0 and 1 or 0 end
  return hits
end
function ask.exists(test, run) return run.mail.header[test.field] and 1 or 0 end
function ask.fact(test, run) return test.check(run.mail) and 1 or 0 end
function ask.meta(test, run) return test.check(run.is, run.n) and 1 or 0 end

-- At most so many verdicts of one run; what more matches is added up in the last.
local most = 80

function sets:judge(mail)
  local tests = self.tests
  local run = { mail = mail }
  run.texts = setmetatable({}, { __index = function(known, kind)
    local text = texts[kind](mail)
    known[kind] = text
    return text
  end })
  run.headers = setmetatable({}, { __index = function(known, field)
    local text = header_text(mail, field) or false
    known[field] = text
    return text
  end })
  run.n = setmetatable({}, { __index = function(known, name)
    local test = tests[name]
    known[name] = 0                -- a rule that nobody defined never matches
    local hits = test and ask[test.kind](test, run) or 0
    known[name] = hits
    return hits
  end })
  run.is = setmetatable({}, { __index = function(known, name)
    local matched = run.n[name] > 0
    known[name] = matched
    return matched
  end })
  local verdicts, rest, last = {}, 0, nil
  for _, one in ipairs(self.scored) do
    if run.n[one.name] > 0 then
      if #verdicts < most then
        verdicts[#verdicts + 1] = score(one.points, one.why)
      else
        rest, last = rest + one.points, one.name
      end
    end
  end
  if last then verdicts[#verdicts + 1] = score(rest, "more rules, up to " .. last) end
  return verdicts
end

local sa = {}

function sa.new() return setmetatable({ tests = {}, scored = {} }, sets) end

return sa
