#!lua
-- Keeps a value with the session, if names and values together stay within a limit.
-- ARGV: channel, generation, name, value, limit.
-- Returns 1, or 0 if it does not fit; -1 not the session's generation, -2 gone.
local s, name, value = session(1), ARGV[3], ARGV[4]
local refused = refusal(s, ARGV[2])
if refused then return refused end
local field = ':' .. name
local size = tonumber(redis.call('HGET', s.data, '#') or 0) + #name + #value
if redis.call('HEXISTS', s.data, field) == 1 then
  size = size - #name - redis.call('HSTRLEN', s.data, field)
end
if size > tonumber(ARGV[5]) then return 0 end
redis.call('HSET', s.data, field, value, '#', size)
redis.call('PEXPIRE', s.data, life(s))
return 1
