-- Take a message off its list, into the ledger and into sight, in one step: what accept.lua does, and the move.
-- KEYS: 1 main list, 2 `:processing`, then as accept.lua
-- ARGV: 1 the message's length in bytes, 2 its beginning, 3 our mark, 4 its entry after the run's id, 5 data of the event that
--       a user's refresh was under way already (the run's id is added), then as accept.lua
-- Returns {'taken', what accept.lua returns}, {'gone', ''} where somebody else took it, or {'used', ''} where its id is
-- that of another user's run.
-- include entries.lua
local function accept(KEYS, ARGV)
-- include accept.lua
end
local main, processing, keys, args = KEYS[1], KEYS[2], {unpack(KEYS, 3)}, {unpack(ARGV, 6)}
if not is_next(main, ARGV[1], ARGV[2]) then return {'gone', ''} end
if redis.call('EXISTS', keys[1]) == 1 and redis.call('HGET', keys[4], args[2]) ~= args[1] then return {'used', ''} end
redis.call('LLEN', processing) -- fails before anything is written where this is no list
local run = accept(keys, args)
if type(run) ~= 'string' then return run end -- an error
if run == '' then return {'taken', ''} end
redis.call('RPOP', main)
show(processing, ARGV[3] .. run, ARGV[4])
if run ~= args[1] then
  local data = string.format('%s, "run": "%s"}', string.sub(ARGV[5], 1, -2), run)
  redis.call('XADD', keys[3], 'MAXLEN', '~', args[5], '*', 'type', 'request.coalesced', 'data', data)
end
return {'taken', run}
