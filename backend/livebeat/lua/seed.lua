-- One step of applying the seed file: what is remembered of it changes together with the schedule that it is about, if
-- both, and the file under way, still are what the caller read.
-- KEYS: 1 what was last applied, 2 event stream, then those of put.lua or delete.lua; of leave 3 entry hash
-- ARGV: 1 SHA-1 of the mark of the file as read ('' = was absent), 2 field of KEYS[1], 3 SHA-1 of it as read,
--       4 its new text ('' = removed), 5 what becomes of the schedule: put, delete, leave or '' where none is meant, 6 stream
--       cap, 7 data of an event about live values that were overwritten, or '', then those of put.lua or delete.lua; of leave
--       8-10 SHA-1 of definition, meta and ours as read
-- Returns 1; 0 where the schedule or its entry is another by now, -1 where another file is under way.
local function put(KEYS, ARGV)
-- include put.lua
end

local function delete(KEYS, ARGV)
-- include delete.lua
end

local function leave(KEYS, ARGV)
  for i, field in ipairs({'definition', 'meta', 'livebeat'}) do
    local value = redis.call('HGET', KEYS[1], field)
    if (value and redis.sha1hex(value) or '') ~= ARGV[i] then return 0 end
  end
  return 1
end

local function from(first, list)
  local rest = {}
  for i = first, #list do rest[i - first + 1] = list[i] end
  return rest
end

local function is_as(field, digest)
  local value = redis.call('HGET', KEYS[1], field)
  return (value and redis.sha1hex(value) or '') == digest
end

if not is_as('#file', ARGV[1]) then return -1 end
if not is_as(ARGV[2], ARGV[3]) then return 0 end
local change = ({put = put, delete = delete, leave = leave})[ARGV[5]]
if change and change(from(3, KEYS), from(8, ARGV)) == 0 then return 0 end
if ARGV[7] ~= '' then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], '*', 'type', 'schedule.overwritten', 'data', ARGV[7])
end
if ARGV[4] == '' then redis.call('HDEL', KEYS[1], ARGV[2]) else redis.call('HSET', KEYS[1], ARGV[2], ARGV[4]) end
return 1
