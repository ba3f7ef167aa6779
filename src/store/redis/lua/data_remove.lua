#!lua flags=allow-oom
-- Forgets a value of the session's data.
-- ARGV: channel, generation, name.
-- Returns 1, or 0 if there was none by this name; -1 not the session's generation, -2 gone.
local s, name = session(1), ARGV[3]
local field, refused = ':' .. name, refusal(s, ARGV[2])
if refused then return refused end
if redis.call('HEXISTS', s.data, field) == 0 then return 0 end
redis.call('HINCRBY', s.data, '#', -#name - redis.call('HSTRLEN', s.data, field))
redis.call('HDEL', s.data, field)
if redis.call('HLEN', s.data) == 1 then redis.call('DEL', s.data) end
return 1
