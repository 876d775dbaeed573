-- Read what is due in the ledger, from both ends: what waits in a long queue must not hide a run whose worker vanished.
-- KEYS: 1 ledger; ARGV: 1 prefix of ledger entries, 2 how many from each end
-- Returns {Redis' time, for each: run id, score, and of its entry {state, attempt, pushes, lease end, pushed at, queue,
-- expiry}, or {the error that stands in their place}}.
local time = redis.call('TIME')
local now = string.format('%d.%06d', time[1], time[2])
local reply, seen = {now}, {}
local function add(found)
  for i = 1, #found, 2 do
    if not seen[found[i]] then
      seen[found[i]] = true
      local entry = redis.pcall('HMGET', ARGV[1] .. found[i], 'state', 'attempt', 'pushes', 'lease_until', 'pushed_at',
        'queue', 'expires_at')
      reply[#reply + 1] = found[i]
      reply[#reply + 1] = found[i + 1]
      reply[#reply + 1] = entry.err and {entry.err} or entry
    end
  end
end
add(redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[2], 'WITHSCORES'))
add(redis.call('ZRANGE', KEYS[1], now, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, ARGV[2], 'WITHSCORES'))
return reply
