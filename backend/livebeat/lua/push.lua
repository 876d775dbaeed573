-- Publishing from a script. `db` = 'broker/store' where these are two databases of this server, '' where they are one.
local function in_broker(db, call)
  if db == '' then return call() end
  local broker, store = string.match(db, '(%d+)/(%d+)')
  redis.call('SELECT', broker)
  local result = call()
  redis.call('SELECT', store)
  return result
end

-- Whether a message can be pushed there: a script that fails half way would leave half of its writes behind.
local function pushable(db, queue)
  local kind = in_broker(db, function() return redis.call('TYPE', queue).ok end)
  return kind == 'list' or kind == 'none'
end

-- Push messages onto one queue, the first one first, or to its front, whence they are taken; then their further commands
-- (JSON each).
local function push(db, queue, texts, more, to_front)
  in_broker(db, function()
    redis.call(to_front and 'RPUSH' or 'LPUSH', queue, unpack(texts))
    for _, commands in ipairs(more) do
      for _, command in ipairs(cjson.decode(commands)) do redis.call(unpack(command)) end
    end
  end)
end
