#!lua flags=no-writes
-- Reads the letters of the session's inbox after a position.
-- ARGV: channel, position, most letters.
-- Returns 1 if letters after the position are lost, else 0; the last listener's number; then for each letter its position
-- and the letter.
local s, after = session(1), tonumber(ARGV[2])
if not known(s) then return {0, 0} end
local state = redis.call('HMGET', s.wire, '#in', '#listener')
local floor = tonumber(state[1] or 0) - redis.call('LLEN', s.inbox)
local found, index = {floor > after and 1 or 0, tonumber(state[2] or 0)}, math.max(after - floor, 0)
for _, letter in ipairs(redis.call('LRANGE', s.inbox, index, index + ARGV[3] - 1)) do
  index = index + 1
  found[#found + 1] = floor + index
  found[#found + 1] = letter
end
return found
