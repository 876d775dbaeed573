-- include push.lua
-- Runs that wait for others. `livebeat:children:<run>` counts what is open of a run's children, and the run itself while
-- it is unfinished (`own`); when nothing is open, what waits (`waiting`, a JSON list of run ids) is pushed.
-- `at` = {children = prefix, run = prefix, ledger = key, events = key, cap, db, first_check = seconds}

-- Make the counter of a run that is unfinished; returns whether there is one.
local function counted(at, run)
  local key = at.children .. run
  if redis.call('EXISTS', key) == 1 then return true end
  if redis.call('EXISTS', at.run .. run) == 0 then return false end
  redis.call('HSET', key, 'open', 1, 'own', 1)
  redis.call('HSET', at.run .. run, 'counted', 1)
  return true
end

local function start(at, run)
  local key = at.run .. run
  local state, queue, text, more, facts = unpack(redis.call('HMGET', key, 'state', 'queue', 'text', 'more', 'facts'))
  if state ~= 'waiting' then return end
  local now = redis.call('TIME')
  local seconds = now[1] + now[2] / 1000000
  redis.call('HSET', key, 'state', 'queued', 'pushed_at', string.format('%.6f', seconds))
  redis.call('HDEL', key, 'facts')
  redis.call('ZADD', at.ledger, seconds + at.first_check, run)
  push(at.db, queue, {text}, more and {more} or {})
  redis.call('XADD', at.events, 'MAXLEN', '~', at.cap, '*', 'type', 'run.queued', 'data', facts)
end

-- One less is open of a run's children (with its outcome), or the run itself has ended.
local function count_down(at, run, outcome)
  local key = at.children .. run
  if redis.call('EXISTS', key) == 0 then return end
  if outcome then
    redis.call('HINCRBY', key, outcome, 1)
  elseif redis.call('HDEL', key, 'own') == 0 then
    return
  end
  if redis.call('HINCRBY', key, 'open', -1) > 0 then return end
  local waiting = cjson.decode(redis.call('HGET', key, 'waiting') or '[]')
  if #waiting == 0 then return redis.call('DEL', key) end
  for _, id in ipairs(waiting) do start(at, id) end
end

-- A run that waited has ended: the counter is kept for as long as one may read it.
local function forget(at, run, waiter)
  local key = at.children .. run
  local left = {}
  for _, id in ipairs(cjson.decode(redis.call('HGET', key, 'waiting') or '[]')) do
    if id ~= waiter then left[#left + 1] = id end
  end
  if #left > 0 then return redis.call('HSET', key, 'waiting', cjson.encode(left)) end
  redis.call('HDEL', key, 'waiting')
  if tonumber(redis.call('HGET', key, 'open') or 0) <= 0 then redis.call('DEL', key) end
end
