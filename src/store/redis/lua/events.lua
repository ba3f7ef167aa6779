#!lua flags=allow-oom
-- Reads the log of events after an offset, oldest first. A log without an epoch begins one.
-- ARGV: channel, offset, most events.
-- Returns the epoch, the last offset, 1 if events after the offset are lost, else 0; then for each event its offset and text.
local epoch, offset = head()
local first = redis.call('XRANGE', EVENTS, '-', '+', 'COUNT', 1)[1]
local floor = first and tonumber(first[1]:match('^%d+')) - 1 or offset
local found = {epoch, offset, floor > tonumber(ARGV[2]) and 1 or 0}
if ARGV[3] ~= '0' then
  local after = '(' .. ARGV[2] .. '-18446744073709551615'
  for _, entry in ipairs(redis.call('XRANGE', EVENTS, after, '+', 'COUNT', ARGV[3])) do
    found[#found + 1] = tonumber(entry[1]:match('^%d+'))
    found[#found + 1] = entry[2][2]
  end
end
keep_shard(0)
return found
