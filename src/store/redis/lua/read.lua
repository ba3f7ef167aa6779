#!lua flags=no-writes
-- Reads a stream's messages after a position, oldest first.
-- ARGV: channel, stream, position, most messages.
-- Returns 1 if messages after the position are lost, else 0; then for each message its position and the message.
local s, stream, after, most = session(1), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if not known(s) then return {0} end
local log = log_of(s)
local _, lost = row_of(s, log, stream)
local gap = lost > after or (0 < after and after < -lost)
local found, mine = {gap and 1 or 0}, string.char(#stream) .. stream
local index = math.max(after - log.floor, 0)
while index < log.kept and #found <= 2 * most do
  for _, entry in ipairs(redis.call('LRANGE', s.log, index, index + 63)) do
    index = index + 1
    if #found <= 2 * most and entry:sub(1, #mine) == mine then
      found[#found + 1] = log.floor + index
      found[#found + 1] = entry:sub(#mine + 1)
    end
  end
end
return found
