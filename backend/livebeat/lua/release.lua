-- Give a run back, not to be pushed before a given time: a claimed one, or one that its worker can't execute.
-- KEYS: 1 ledger entry of the run, 2 ledger, 3 event stream
-- ARGV: 1 run id, 2 owner ('' where nobody has claimed it), 3 attempt, 4 seconds until it may be pushed again, 5 event
--       data, 6 stream cap, 7 queue, 8 message and 9 further commands of a new message, '' to keep the old one,
--       10 'asked' by its task, else 'stopped' or 'lost', which counts: these were cut short, and go first
-- Returns 1, or 0 where the run is no longer the caller's.
local state, attempt, owner = unpack(redis.call('HMGET', KEYS[1], 'state', 'attempt', 'owner'))
if not state or (state == 'running' and owner or '') ~= ARGV[2] then return 0 end
if tonumber(attempt or 0) ~= tonumber(ARGV[3]) then return 0 end
local now = redis.call('TIME')
local after = redis.call('HEXISTS', KEYS[1], 'cancelled_by') == 1 and 0 or ARGV[4] -- the relay ends it
local free_at = string.format('%.6f', now[1] + now[2] / 1000000 + after)
redis.call('HSET', KEYS[1], 'state', 'retrying', 'owner', '', 'lease_until', free_at)
if ARGV[7] ~= '' then
  redis.call('HSET', KEYS[1], 'queue', ARGV[7], 'text', ARGV[8])
  if ARGV[9] ~= '' then redis.call('HSET', KEYS[1], 'more', ARGV[9]) else redis.call('HDEL', KEYS[1], 'more') end
end
if ARGV[10] == 'asked' then redis.call('HDEL', KEYS[1], 'cut_short') else redis.call('HSET', KEYS[1], 'cut_short', 1) end
if ARGV[10] == 'lost' then redis.call('HINCRBY', KEYS[1], 'losses', 1) end
redis.call('ZADD', KEYS[2], free_at, ARGV[1])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[6], '*', 'type', 'run.retrying', 'data', ARGV[5])
return 1
