-- Dispatch the due slots of several schedules: for each, if it still is what its message was built from, advance the
-- score and ours, write meta, enter the ledger, push the message and append the event; else change nothing of it.
-- KEYS: 1 RedBeat's index, 2 leader lock, 3 ledger, 4 event stream, 5 time mark
-- ARGV: 1 prefix of our lock tokens, 2 seconds that the clock may lie below the mark, 3 stream cap,
--       4 seconds to a message's first check, 5 prefix of ledger entries, 6 prefix of the sets of running ids,
--       7 items (JSON): {key, score, digests, meta, livebeat, next, events = {{type, data}…}, run = {id, fields, commands,
--       schedule, ledgered}} with `run` absent where nothing is to run
-- Returns {'ok', 1 or 0 per item…}, or {'foreign', holder} / {'clock', seconds behind}: then nothing was done.
local holder = redis.call('GET', KEYS[2])
if holder and string.sub(holder, 1, #ARGV[1]) ~= ARGV[1] then return {'foreign', holder} end
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local mark = tonumber(redis.call('GET', KEYS[5]) or '0')
if now < mark - ARGV[2] then return {'clock', string.format('%.3f', mark - now)} end
if now > mark then redis.call('SET', KEYS[5], string.format('%.6f', now)) end

local function unchanged(item)
  local score = redis.call('ZSCORE', KEYS[1], item.key)
  if not score or tonumber(score) ~= item.score then return false end
  for i, field in ipairs({'definition', 'meta', 'livebeat'}) do
    local value = redis.call('HGET', item.key, field)
    if (value and redis.sha1hex(value) or '') ~= item.digests[i] then return false end
  end
  return true
end

local reply = {'ok'}
for _, item in ipairs(cjson.decode(ARGV[7])) do
  if unchanged(item) then
    redis.call('HSET', item.key, 'livebeat', item.livebeat)
    if item.meta ~= '' then redis.call('HSET', item.key, 'meta', item.meta) end
    redis.call('ZADD', KEYS[1], item.next, item.key)
    local run = item.run
    if run and redis.call('EXISTS', ARGV[5] .. run.id) == 0 then
      if run.ledgered then
        redis.call('HSET', ARGV[5] .. run.id, 'state', 'queued', 'attempt', 0, 'pushes', 1, 'lease_until', 0,
          'commands', run.commands, 'accepted_at', string.format('%.6f', now), unpack(run.fields))
        redis.call('ZADD', KEYS[3], now + ARGV[4], run.id)
        redis.call('SADD', ARGV[6] .. run.schedule, run.id)
      end
      for _, command in ipairs(cjson.decode(run.commands)) do redis.call(unpack(command)) end
    end
    for _, event in ipairs(item.events) do
      redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[3], '*', 'type', event[1], 'data', event[2])
    end
    table.insert(reply, 1)
  else
    table.insert(reply, 0)
  end
end
return reply
