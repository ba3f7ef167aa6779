#!lua flags=allow-oom
-- Finds sessions that may be due, the longest due first. The sweep script judges them again. It says that it writes even where it
-- does not: a demoted primary refuses it then, instead of telling that nothing is due.
-- ARGV: channel, how long it must have been due, limit, and how many to skip.
-- Returns their keys.
local latest = now() - ARGV[2]

-- Sessions that a version without this index has opened are put into it, some with each sweep.
if redis.call('ZCARD', DUE) < redis.call('ZCARD', BORN) then
  local from = tonumber(redis.call('HGET', HEAD, 'unindexed')) or 0
  local some, added = redis.call('ZRANGE', BORN, from, from + 499), {}
  for i, key in ipairs(some) do added[2 * i - 1], added[2 * i] = latest, key end
  if #some > 0 then redis.call('ZADD', DUE, 'NX', unpack(added)) end
  redis.call('PEXPIRE', DUE, math.max(redis.call('PTTL', BORN), SLACK))
  if #some < 500 then redis.call('HDEL', HEAD, 'unindexed') else redis.call('HSET', HEAD, 'unindexed', from + 500) end
end
return redis.call('ZRANGEBYSCORE', DUE, '-inf', latest, 'LIMIT', ARGV[4], ARGV[3])
