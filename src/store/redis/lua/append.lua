#!lua
-- Appends messages to a stream of the session, and finishes it if told to; then drops the session's oldest messages down
-- to the limits.
-- ARGV: channel, key, generation, stream, most messages, most bytes, ttl of the log, 1 to finish, then the messages.
-- Returns the last position; -1 not the session's generation, -2 gone, -3 the stream is finished.
local s, stream, most, most_bytes = session(1), ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local refused, log = refusal(s, ARGV[3]), log_of(s)
if refused then return refused end
local last, lost, state = row_of(s, log, stream)
if state == 'f' then return -3 end
if ARGV[8] == '1' then
  state = 'f'
elseif #ARGV < 9 then
  return log.last
end

local losses = {[stream] = lost}
for i = 9, #ARGV do
  redis.call('RPUSH', s.log, string.char(#stream) .. stream .. ARGV[i])
  log.last, log.kept, log.bytes = log.last + 1, log.kept + 1, log.bytes + #ARGV[i]
  last = log.last
end
while log.kept > 1 and (log.kept > most or log.bytes > most_bytes) do
  local dropped = redis.call('LPOP', s.log)
  local name = dropped:sub(2, 1 + dropped:byte(1))
  log.kept, log.bytes = log.kept - 1, log.bytes - #dropped + 1 + #name
  if name == 'listen' or log.last - log.kept > log.fold then losses[name] = log.last - log.kept end
end
for name, position in pairs(losses) do
  local at, _, of = row_of(s, log, name)
  if name == stream then at, of = last, state end
  redis.call('HSET', s.meta, ':' .. name, (at or position) .. ':' .. position .. ':' .. of)
end
redis.call('HSET', s.meta, '#last', log.last, '#bytes', log.bytes)
if redis.call('HLEN', s.meta) > 2 * most + 64 then fold(s, log) end

redis.call('PEXPIRE', s.meta, life(s))
redis.call('PEXPIRE', s.log, math.min(life(s), ARGV[7]))
tell('a ' .. ARGV[2] .. ' ' .. stream)
return log.last
