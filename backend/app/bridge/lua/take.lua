-- Take a message off its list, into the ledger and into sight, in one step: what accept.lua does, and the move.
-- KEYS: 1 to 6 as accept.lua, 7 main list, 8 `:processing`
-- ARGV: 1 to 16 as accept.lua, 17 the message's length in bytes, 18 its beginning, 19 our mark, 20 its entry after the run's id,
--       21 data of the event that a user's refresh was under way already (the run's id is added)
-- Returns {'taken', what accept.lua returns}, {'gone', ''} where somebody else took it, or {'used', ''} where its id is
-- that of another user's run.
-- include entries.lua
local function accept(KEYS, ARGV)
-- include accept.lua
end
if not is_next(KEYS[7], ARGV[17], ARGV[18]) then return {'gone', ''} end
if redis.call('EXISTS', KEYS[1]) == 1 and redis.call('HGET', KEYS[4], ARGV[2]) ~= ARGV[1] then return {'used', ''} end
redis.call('LLEN', KEYS[8]) -- fails before anything is written where this is no list
local run = accept(KEYS, ARGV)
if type(run) ~= 'string' then return run end -- an error
if run == '' then return {'taken', ''} end
redis.call('RPOP', KEYS[7])
show(KEYS[8], ARGV[19] .. run, ARGV[20])
if run ~= ARGV[1] then
  local data = string.format('%s, "run": "%s"}', string.sub(ARGV[21], 1, -2), run)
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'type', 'request.coalesced', 'data', data)
end
return {'taken', run}
