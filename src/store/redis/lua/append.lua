#!lua
-- Appends messages to a stream of the session, then drops the session's oldest ones down to the limits.
-- ARGV: channel, key, generation, stream, most messages, most bytes, ttl of the log, then the messages.
-- Returns the last position; -1 if the generation is not the session's own, -2 if the session is gone.
local s, stream, most, most_bytes = session(1), ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
if not known(s) then return -2 end
if struct.unpack('>I4', redis.call('GETRANGE', s.record, 2, 5)) ~= tonumber(ARGV[3]) then return -1 end
local log = log_of(s)
if #ARGV < 8 then return log.last end

local _, lost = row_of(s, log, stream)
local losses = {[stream] = lost}
for i = 8, #ARGV do
  redis.call('RPUSH', s.log, string.char(#stream) .. stream .. ARGV[i])
  log.last, log.kept, log.bytes = log.last + 1, log.kept + 1, log.bytes + #ARGV[i]
end
while log.kept > 1 and (log.kept > most or log.bytes > most_bytes) do
  local dropped = redis.call('LPOP', s.log)
  local name = dropped:sub(2, 1 + dropped:byte(1))
  log.kept, log.bytes = log.kept - 1, log.bytes - #dropped + 1 + #name
  losses[name] = log.last - log.kept
end
for name, position in pairs(losses) do
  local last = name == stream and log.last or row_of(s, log, name) or position
  redis.call('HSET', s.meta, ':' .. name, last .. ':' .. position)
end
redis.call('HSET', s.meta, '#last', log.last, '#bytes', log.bytes)
if redis.call('HLEN', s.meta) > 2 * most + 64 then fold(s, log) end

redis.call('PEXPIRE', s.meta, life(s))
redis.call('PEXPIRE', s.log, math.min(life(s), ARGV[7]))
tell('a ' .. ARGV[2] .. ' ' .. stream)
return log.last
