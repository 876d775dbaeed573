-- Take a run for one execution, fenced by its attempt.
-- KEYS: 1 ledger entry of the run, 2 ledger, 3 event stream
-- ARGV: 1 run id, 2 owner, 3 lease in seconds, 4 event data (a flat object; the attempt is added), 5 stream cap
-- Returns {'claimed', attempt}, {'held', attempt} while a live lease of another owner stands, or {'gone', 0} where
-- the run has ended: its message is a late copy.
local state, attempt, owner, lease_until = unpack(redis.call('HMGET', KEYS[1], 'state', 'attempt', 'owner', 'lease_until'))
if not state then return {'gone', 0} end
local now = redis.call('TIME')
local seconds = now[1] + now[2] / 1000000
attempt = tonumber(attempt or 0)
if state == 'running' and tonumber(lease_until) > seconds then
  if owner == ARGV[2] then return {'claimed', attempt} end
  return {'held', attempt}
end
if state == 'retrying' and tonumber(lease_until) > seconds then return {'held', attempt} end
attempt = attempt + 1
local lease_end = string.format('%.6f', seconds + ARGV[3])
redis.call('HSET', KEYS[1], 'state', 'running', 'attempt', attempt, 'owner', ARGV[2], 'lease_until', lease_end)
redis.call('ZADD', KEYS[2], lease_end, ARGV[1])
local data = cjson.decode(ARGV[4])
data.attempt = attempt
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'type', 'run.started', 'data', cjson.encode(data))
return {'claimed', attempt}
