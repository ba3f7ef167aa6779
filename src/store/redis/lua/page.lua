#!lua flags=no-writes
-- Finds sessions after a place, the last seen first; of those seen at the same moment, the greatest key first.
-- ARGV: channel, 1 for active ones, 1 for disconnected ones, how many at most of each, and the place: last-seen and key.
-- Returns for both a list of keys, each with when it was last seen.
local most, seen, key, found = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], {{}, {}}

-- Redis orders keys by their bytes; Lua would by the locale.
local function less(a, b)
  for i = 1, #b do
    local x, y = a:byte(i) or -1, b:byte(i)
    if x ~= y then return x < y end
  end
  return false
end

-- How many of an index do not come after the place.
local function passed(index)
  local low, high = 0, seen and redis.call('ZCARD', index) or 0
  while low < high do
    local middle = math.floor((low + high) / 2)
    local member, score = unpack(redis.call('ZRANGE', index, middle, middle, 'REV', 'WITHSCORES'))
    local after = tonumber(score) < seen or tonumber(score) == seen and less(member, key)
    if after then high = middle else low = middle + 1 end
  end
  return low
end

for i, index in ipairs({SEEN, GONE}) do
  if ARGV[i + 1] == '1' then
    local skip = passed(index)
    found[i] = redis.call('ZRANGE', index, skip, skip + most - 1, 'REV', 'WITHSCORES')
  end
end
return found
