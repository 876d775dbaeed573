-- The queues that workers without livebeat.install consume, in order, one a line ('' = none, as nearly always): a message
-- is built for these, and pushed only while they are the same.
local function plain_queues(key)
  local names = redis.pcall('HKEYS', key)
  if #names == 0 then return '' end -- none, or the key holds no hash
  table.sort(names)
  return table.concat(names, '\n')
end
