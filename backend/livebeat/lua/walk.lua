-- One page of the index: the entries whose score is not the slot that ours names, or the later instant at which it is due,
-- as RedBeat's own code wrote it.
-- KEYS: 1 index; ARGV: 1 rank of the first, 2 how many
-- Returns {rank of the next page, or 0 after the last, member, score, member, score …}.
local page = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1, 'WITHSCORES')
local reply = {#page < 2 * ARGV[2] and 0 or ARGV[1] + ARGV[2]}
for i = 1, #page, 2 do
  local ours = redis.pcall('HGET', page[i], 'livebeat')
  local due = type(ours) == 'string' and
    tonumber(string.match(ours, '"due": ([%d.e+]+)') or string.match(ours, '"next": ([%d.e+]+)'))
  if tonumber(page[i + 1]) >= 0 and due ~= tonumber(page[i + 1]) then
    reply[#reply + 1] = page[i]
    reply[#reply + 1] = page[i + 1]
  end
end
return reply
