#!lua
-- Keeps a shaping call with the session, or forgets one, and puts a letter about it into the inbox.
-- ARGV: channel, key, generation, name, 1 to keep, call, most bytes, most letters, most bytes of them, ttl of the inbox, letter.
-- Returns the letter's position; -1 not the session's generation, -2 gone, -3 too large.
local s, field, call = session(1), '!' .. ARGV[4], ARGV[6]
local refused = refusal(s, ARGV[3])
if refused then return refused end
local size = tonumber(redis.call('HGET', s.wire, '#shapes') or 0)
if redis.call('HEXISTS', s.wire, field) == 1 then
  size = size - #ARGV[4] - redis.call('HSTRLEN', s.wire, field)
end
if ARGV[5] == '1' then
  size = size + #ARGV[4] + #call
  if size > tonumber(ARGV[7]) then return -3 end
  redis.call('HSET', s.wire, field, call)
else
  redis.call('HDEL', s.wire, field)
end
redis.call('HSET', s.wire, '#shapes', size)
return mail(s, ARGV[2], ARGV[11], ARGV[8], ARGV[9], ARGV[10])
