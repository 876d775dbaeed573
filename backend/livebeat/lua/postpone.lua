-- Put off the checks of runs, of each one whose check still stands where it was read.
-- KEYS: 1 ledger; ARGV: for each: run id, score as read, new score
for i = 1, #ARGV, 3 do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if score and tonumber(score) == tonumber(ARGV[i + 1]) then redis.call('ZADD', KEYS[1], ARGV[i + 2], ARGV[i]) end
end
