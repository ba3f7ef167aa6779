#!lua flags=allow-oom
-- Reads the log of events after an offset, oldest first. A log in which the reader knows an entry that is not there has lost
-- events and may have others in their place: it begins another epoch.
-- ARGV: channel, offset, most events, the epoch and the id that the reader knows ('': none).
-- Returns the epoch, the last id, 1 if events after the offset are lost, else 0; then for each event its id and its text.
local epoch, offset, last = head()

local function holds(known)
  local at = tonumber(known:match('^%d+'))
  if at >= offset then return known == last end
  local entry = redis.call('XRANGE', EVENTS, at .. '-0', at .. '-18446744073709551615')[1]
  return not entry or known == entry[1]
end

if ARGV[4] == epoch and not holds(ARGV[5]) then epoch = begin_epoch() end
local first = redis.call('XRANGE', EVENTS, '-', '+', 'COUNT', 1)[1]
local floor = first and tonumber(first[1]:match('^%d+')) - 1 or offset
local found = {epoch, last, floor > tonumber(ARGV[2]) and 1 or 0}
if ARGV[3] ~= '0' then
  local after = '(' .. ARGV[2] .. '-18446744073709551615'
  for _, entry in ipairs(redis.call('XRANGE', EVENTS, after, '+', 'COUNT', ARGV[3])) do
    found[#found + 1] = entry[1]
    found[#found + 1] = entry[2][2]
  end
end
keep_shard(0)
return found
