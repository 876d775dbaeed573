-- Take a run for one execution, fenced by its attempt.
-- KEYS: 1 ledger entry of the run, 2 ledger, 3 event stream
-- ARGV: 1 run id, 2 owner, 3 lease in seconds, 4 event data (attempt, losses and lateness are added), 5 stream cap,
--       6 its slot (seconds; '' = none: lateness counts from its acceptance), 7 executions of it that may be lost
-- Returns {'claimed', attempt}, {'held', attempt} while a live lease of another owner stands, it may not start yet, or
-- the relay is about to give it up or to end it as cancelled, or {'gone', 0} where the run has ended: its message is a late copy.
local state, attempt, owner, lease_until, losses, accepted_at, pushed_at, cancelled_by = unpack(
  redis.call('HMGET', KEYS[1], 'state', 'attempt', 'owner', 'lease_until', 'losses', 'accepted_at', 'pushed_at', 'cancelled_by'))
if not state then return {'gone', 0} end
local now = redis.call('TIME')
local seconds = now[1] + now[2] / 1000000
attempt, losses = tonumber(attempt or 0), tonumber(losses or 0)
if state == 'waiting' then return {'held', attempt} end
if state ~= 'queued' and tonumber(lease_until) > seconds then
  if state == 'running' and owner == ARGV[2] then return {'claimed', attempt} end
  return {'held', attempt}
end
if cancelled_by then return {'held', attempt} end
if state == 'running' then -- who had it let its lease run out
  if losses + 1 >= tonumber(ARGV[7]) then return {'held', attempt} end
  losses = redis.call('HINCRBY', KEYS[1], 'losses', 1)
end
attempt = attempt + 1
local lease_end = string.format('%.6f', seconds + ARGV[3])
redis.call('HSET', KEYS[1], 'state', 'running', 'attempt', attempt, 'owner', ARGV[2], 'lease_until', lease_end)
redis.call('ZADD', KEYS[2], lease_end, ARGV[1])
local lateness = seconds - (ARGV[6] ~= '' and ARGV[6] or accepted_at or pushed_at)
local told = '%s, "attempt": %d, "losses": %d, "lateness": %.3f}'
local data = string.format(told, string.sub(ARGV[4], 1, -2), attempt, losses, lateness)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'type', 'run.started', 'data', data)
return {'claimed', attempt}
