-- Our entries of a list that begin so: with our mark, or with the mark and a run's id.
local function entries(list, beginning)
  local found = {}
  for _, text in ipairs(redis.call('LRANGE', list, 0, -1)) do
    if string.sub(text, 1, #beginning) == beginning then found[#found + 1] = text end
  end
  return found
end

-- Make a run visible, if it isn't. At the tail: consumers of old compare the head of this list with what they put there.
local function show(list, beginning, rest)
  if #entries(list, beginning) == 0 then redis.call('RPUSH', list, beginning .. rest) end
end

-- Whether the consuming end of a list still is what was read: its length in bytes, and its beginning.
local function is_next(list, length, text)
  local last = redis.call('LINDEX', list, -1)
  return last and #last == tonumber(length) and string.sub(last, 1, #text) == text
end
