-- Take a run out of sight, its entry perhaps to another list.
-- KEYS: 1 `:processing`, 2 the other list; ARGV: 1 our mark and the run's id, 2 what is pushed there, or ''
-- Returns 1, or 0 where it wasn't to be seen: nothing is pushed then.
-- include entries.lua
local seen = entries(KEYS[1], ARGV[1])
if #seen == 0 then return 0 end
if ARGV[2] ~= '' then redis.call('LPUSH', KEYS[2], ARGV[2]) end
for _, text in ipairs(seen) do redis.call('LREM', KEYS[1], 0, text) end
return 1
