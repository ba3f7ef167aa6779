#!lua flags=allow-oom
-- Forgets a value of the session's data.
-- ARGV: channel, name. Returns 1, or 0 if there was none by this name.
local s, name = session(1), ARGV[2]
local field = ':' .. name
if not known(s) or redis.call('HEXISTS', s.data, field) == 0 then return 0 end
redis.call('HINCRBY', s.data, '#', -#name - redis.call('HSTRLEN', s.data, field))
redis.call('HDEL', s.data, field)
if redis.call('HLEN', s.data) == 1 then redis.call('DEL', s.data) end
return 1
