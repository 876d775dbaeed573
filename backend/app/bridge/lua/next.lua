-- The next message to be taken: the consuming end of the list.
-- Where the lists are on another server than the ledger, the message goes into the bridges' hand first, before it the id
-- that its run is to have: whatever lies there is dealt with before anything else, by whichever bridge comes by.
-- KEYS: 1 main list, 2 `:processing`, 3 the hand (only then)
-- ARGV: 1 our mark, 2 how many of our runs may be unfinished, 3 bytes that are read of a message, 4 an id and a space
-- Returns {length in bytes, beginning}; nil where there is none, or enough of ours are unfinished.
-- include entries.lua
local source = KEYS[3] or KEYS[1]
if not KEYS[3] or redis.call('LLEN', KEYS[3]) == 0 then
  if redis.call('LLEN', KEYS[1]) == 0 or #entries(KEYS[2], ARGV[1]) >= tonumber(ARGV[2]) then return false end
  if KEYS[3] then redis.call('LPUSH', KEYS[3], ARGV[4] .. redis.call('RPOP', KEYS[1])) end
end
local text = redis.call('LINDEX', source, -1)
return {#text, string.sub(text, 1, tonumber(ARGV[3]))}
