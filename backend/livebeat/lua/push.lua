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

-- Push a message, then its further commands (JSON, '' for none).
local function push(db, queue, text, more)
  in_broker(db, function()
    redis.call('LPUSH', queue, text)
    if more ~= '' then
      for _, command in ipairs(cjson.decode(more)) do redis.call(unpack(command)) end
    end
  end)
end
