-- include children.lua
-- A schedule's runs beside each other. `at` as in children.lua, with running = index of running ids, unique = key.

-- The unfinished runs of a schedule, `most` at most: {{id, state}…}. Members of the index without an entry go.
local function unfinished(at, name, most)
  local found = {}
  for _, member in ipairs(redis.call('ZRANGEBYLEX', at.running, '[' .. name .. '\n', '(' .. name .. '\11')) do
    local run = string.sub(member, #name + 2)
    local state = redis.pcall('HGET', at.run .. run, 'state')
    if type(state) == 'string' then
      found[#found + 1] = {run, state}
      if #found == most then break end
    else
      redis.call('ZREM', at.running, member)
    end
  end
  return found
end

-- Start the run that waits for the others of its schedule, unless one is unfinished yet; returns 1 where it did.
local function proceed(at, name, waiter)
  for _, other in ipairs(unfinished(at, name)) do
    if other[1] ~= waiter and other[2] ~= 'waiting' then return 0 end
  end
  start(at, waiter)
  return 1
end

-- Every trace of a run gone from the ledger, with its terminal event; who waited for it may start.
-- `links`: the fields 'unique', 'parent', 'after', 'counted' and 'before' of its entry.
local function end_run(at, run, name, kind, data, links)
  local unique, parent, after, counts, before = unpack(links, 1, 5)
  redis.call('DEL', at.run .. run)
  redis.call('ZREM', at.ledger, run)
  if unique and redis.call('HGET', at.unique, unique) == run then redis.call('HDEL', at.unique, unique) end
  if name ~= '' then redis.call('ZREM', at.running, name .. '\n' .. run) end
  redis.call('XADD', at.events, 'MAXLEN', '~', at.cap, '*', 'type', kind, 'data', data)
  if parent then count_down(at, parent, string.sub(kind, #'run.' + 1)) end
  if after then forget(at, after, run) end
  if counts then count_down(at, run) end
  if before then proceed(at, name, before) end
end

-- End a run that no worker executes, as the run `by` of its schedule comes in its place.
local function cancel(at, run, name, by)
  local key = at.run .. run
  local text, attempt, parent = unpack(redis.call('HMGET', key, 'text', 'attempt', 'parent'))
  local is_message, message = pcall(cjson.decode, text)
  local headers = is_message and message.headers or {}
  local data = cjson.encode({
    run = run, task = headers.task or '?', schedule = name, slot = headers.livebeat_slot or cjson.null,
    revision = headers.livebeat_revision or cjson.null, kind = headers.livebeat_kind or 'task',
    parent = parent or cjson.null, attempt = tonumber(attempt or 0), error = 'cancelled: run ' .. by .. ' takes its place'
  })
  end_run(at, run, name, 'run.cancelled', data, redis.call('HMGET', key, 'unique', 'parent', 'after', 'counted'))
end

-- What becomes of one more run of a schedule under its overlap rule: 'go', 'wait', or the id of the run in whose favour it
-- does not run. Where it waits, the runs before it know it (`before`), and the last of them starts it.
local function beside(at, name, rule, run)
  local others = unfinished(at, name, rule == 'skip' and 1 or nil)
  if #others == 0 then return 'go' end
  if rule == 'skip' then return others[1][1] end
  local ahead = {}
  for _, other in ipairs(others) do
    local id, state = unpack(other)
    if rule == 'buffer_one' and state == 'waiting' then return id end
    if rule == 'cancel_previous' and state ~= 'running' then
      cancel(at, id, name, run)
    else
      ahead[#ahead + 1] = id
    end
  end
  for _, id in ipairs(ahead) do
    redis.call('HSET', at.run .. id, 'before', run)
    if rule == 'cancel_previous' then redis.call('HSET', at.run .. id, 'cancelled_by', run) end
  end
  return #ahead > 0 and 'wait' or 'go'
end
