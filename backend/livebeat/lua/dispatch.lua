-- Dispatch the due slots of several schedules: for each, if it still is what its message was built from, advance the
-- score and ours, write meta, enter the ledger, push the message and append the events; else change nothing of it.
-- KEYS: 1 RedBeat's index, 2 leader lock, 3 ledger, 4 event stream, 5 time mark, 6 what is set aside, 7 index of running
--       ids, 8 queues that plain workers consume (see plain.lua)
-- ARGV: 1 prefix of our lock tokens, 2 seconds that the clock may lie below the mark, 3 stream cap,
--       4 seconds to a message's first check, 5 prefix of ledger entries, 6 databases (see push.lua),
--       7 '1' where messages go through the ledger, 8 prefix of entries, 9 the queues of KEYS[8] that the messages were built
--       for, then for each schedule: entry key, score, definition and ours as read ('' = absent), new
--       meta ('' = leave) and ours, new score, run id ('' = nothing to run), queue, message, facts of the run (the data
--       of its event), and what is rare ('' or JSON): {events = {{type, data}…}, more = further commands (see push.lua),
--       expires_at = seconds, unledgered = true where it was built for a queue with a plain worker, pause_after = failures in
--       a row that pause the schedule, overlap = {rule, children = prefix of their counters, unique = key of the unique keys,
--       events = what to tell, skip = what to write and tell instead where another run keeps this one from running: {meta, ours,
--       score, events}}}
-- Returns {'ok', for each 1 done, 2 done but for the push: it waits, or may not run, 0 no longer as it was read, -1 its
-- queue is no queue}, or {'foreign', holder},
-- {'clock', seconds behind} or {'plain', queues}, where others than ARGV[9] have plain workers: then nothing was done.
-- include overlap.lua
-- include plain.lua
-- What can be one command for all schedules is: a call costs more than what most of them do.
local FIRST, WIDTH = 10, 12
local holder = redis.call('GET', KEYS[2])
if holder and string.sub(holder, 1, #ARGV[1]) ~= ARGV[1] then return {'foreign', holder} end
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local mark = tonumber(redis.call('GET', KEYS[5]) or '0')
if now < mark - ARGV[2] then return {'clock', string.format('%.3f', mark - now)} end
local plain = plain_queues(KEYS[8])
if plain ~= ARGV[9] then return {'plain', plain} end
local stamp = string.format('%.6f', now)
if now > mark then redis.call('SET', KEYS[5], stamp) end
local cap, first_check, db, ledgered = ARGV[3], now + ARGV[4], ARGV[6], ARGV[7] == '1'

local nothing, is_trimmed = {}, false
-- Only the first of a script's events trims the stream.
local function tell(kind, data)
  if is_trimmed then
    redis.call('XADD', KEYS[4], '*', 'type', kind, 'data', data)
  else
    redis.call('XADD', KEYS[4], 'MAXLEN', '~', cap, '*', 'type', kind, 'data', data)
    is_trimmed = true
  end
end

-- 'go', 'wait', or the id of a run: what becomes of this one under its schedule's overlap rule.
local function judged(overlap, name, run)
  return beside({
    children = overlap.children, run = ARGV[5], ledger = KEYS[3], events = KEYS[4], cap = cap, db = db, first_check = ARGV[4],
    running = KEYS[7], unique = overlap.unique
  }, name, overlap.rule, run)
end

local usable, keys, runs = {[''] = true}, {}, {}
for at = FIRST, #ARGV, WIDTH do
  keys[#keys + 1] = ARGV[at]
  if ARGV[at + 7] ~= '' then runs[#runs + 1] = ARGV[5] .. ARGV[at + 7] end
  local queue = ARGV[at + 8]
  if usable[queue] == nil then usable[queue] = pushable(db, queue) end
end
local scores = redis.call('ZMSCORE', KEYS[1], unpack(keys))
local some_run_is_there = #runs > 0 and redis.call('EXISTS', unpack(runs)) > 0

local reply, index, ledger, running, queues = {'ok'}, {}, {}, {}, {}
for at = FIRST, #ARGV, WIDTH do
  local key, score, definition, ours, new_meta, new_ours, new_score, run, queue, text, facts, rare =
    unpack(ARGV, at, at + WIDTH - 1)
  local found = scores[#reply]
  local read = found and redis.pcall('HMGET', key, 'definition', 'livebeat')
  if not found or tonumber(found) ~= tonumber(score) or (read[1] or '') ~= definition or (read[2] or '') ~= ours then
    reply[#reply + 1] = 0
  elseif not usable[queue] then
    reply[#reply + 1] = -1
  else
    rare = rare ~= '' and cjson.decode(rare) or nothing
    local done, waits, overlap = 1, false, rare.overlap
    local events = (overlap or rare).events
    if run ~= '' and some_run_is_there and redis.call('EXISTS', ARGV[5] .. run) == 1 then
      run = ''
    elseif overlap then
      local verdict = judged(overlap, string.sub(key, #ARGV[8] + 1), run)
      waits = verdict == 'wait'
      if not waits and verdict ~= 'go' then
        run, new_meta, new_ours, new_score, events = '', unpack(overlap.skip)
      end
      if verdict ~= 'go' then done = 2 end
    end
    if new_meta ~= '' then
      redis.call('HSET', key, 'meta', new_meta, 'livebeat', new_ours)
    else
      redis.call('HSET', key, 'livebeat', new_ours)
    end
    index[#index + 1] = new_score
    index[#index + 1] = key
    for _, event in ipairs(events or nothing) do
      tell(event[1], event[2])
      if string.find(event[1], 'schedule.', 1, true) == 1 then redis.call('HDEL', KEYS[6], string.sub(key, #ARGV[8] + 1)) end
    end
    if run ~= '' then
      if ledgered and not rare.unledgered then
        redis.call('HSET', ARGV[5] .. run, 'state', 'queued', 'pushed_at', stamp, 'queue', queue, 'text', text)
        if waits then redis.call('HSET', ARGV[5] .. run, 'state', 'waiting', 'facts', facts) end
        if rare ~= nothing then
          for _, field in ipairs({'more', 'expires_at', 'pause_after'}) do
            if rare[field] then redis.call('HSET', ARGV[5] .. run, field, rare[field]) end
          end
        end
        ledger[#ledger + 1] = first_check
        ledger[#ledger + 1] = run
        running[#running + 1] = 0
        running[#running + 1] = string.sub(key, #ARGV[8] + 1) .. '\n' .. run
      end
      if not waits then
        queues[queue] = queues[queue] or {texts = {}, more = {}}
        table.insert(queues[queue].texts, text)
        if rare.more then table.insert(queues[queue].more, rare.more) end
        tell('run.queued', facts)
      end
    end
    reply[#reply + 1] = done
  end
end
if #index > 0 then redis.call('ZADD', KEYS[1], unpack(index)) end
if #ledger > 0 then
  redis.call('ZADD', KEYS[3], unpack(ledger))
  redis.call('ZADD', KEYS[7], unpack(running))
end
for queue, waiting in pairs(queues) do push(db, queue, waiting.texts, waiting.more) end
return reply
