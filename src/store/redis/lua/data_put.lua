#!lua
-- Keeps a value with the session, if names and values together stay within a limit.
-- ARGV: channel, name, value, limit. Returns 1, or 0 if it does not fit, or -2 if the session is gone.
local s, name, value = session(1), ARGV[2], ARGV[3]
if not known(s) then return -2 end
local field = ':' .. name
local size = tonumber(redis.call('HGET', s.data, '#') or 0) + #name + #value
if redis.call('HEXISTS', s.data, field) == 1 then
  size = size - #name - redis.call('HSTRLEN', s.data, field)
end
if size > tonumber(ARGV[4]) then return 0 end
redis.call('HSET', s.data, field, value, '#', size)
redis.call('PEXPIRE', s.data, life(s))
return 1
