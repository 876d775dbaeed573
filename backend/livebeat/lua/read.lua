-- Read several entries: one command and one reply, as most of the price of a small one is the client's.
-- KEYS: entries
-- Returns for each its definition, meta and ours (nil = absent), or the error that stands in their place.
local found = {}
for i, key in ipairs(KEYS) do
  local read = redis.pcall('HMGET', key, 'definition', 'meta', 'livebeat')
  found[i] = read.err or read
end
return found
