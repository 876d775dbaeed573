-- Let go of the leader lock, if it is ours. KEYS: 1 lock; ARGV: 1 own token
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
