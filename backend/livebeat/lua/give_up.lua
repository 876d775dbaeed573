-- Take a run that can't be dealt with out of the ledger, with the reason, if its check still stands where it was read.
-- KEYS: 1 ledger entry of the run, 2 ledger, 3 event stream, 4 what was given up
-- ARGV: 1 run id, 2 score as read, 3 what is kept of it (JSON), 4 event data, 5 stream cap
-- Returns 1, or 0 where somebody else was first.
local score = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not score or tonumber(score) ~= tonumber(ARGV[2]) then return 0 end
if redis.call('TYPE', KEYS[1]).ok == 'hash' then redis.call('DEL', KEYS[1]) end -- what is none of ours stays
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[4], ARGV[1], ARGV[3])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'type', 'run.lost', 'data', ARGV[4])
return 1
