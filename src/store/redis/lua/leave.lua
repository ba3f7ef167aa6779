#!lua flags=allow-oom
-- A listener leaves, having heard everything up to a position.
-- ARGV: channel, listener, position. Returns 1 if it was the current one, else 0.
local s = session(1)
if not known(s) or redis.call('HGET', s.wire, '#listener') ~= ARGV[2] then return 0 end
if tonumber(redis.call('HGET', s.wire, '#heard') or 0) < tonumber(ARGV[3]) then
  redis.call('HSET', s.wire, '#heard', ARGV[3])
end
redis.call('HDEL', s.wire, '#there')
return 1
