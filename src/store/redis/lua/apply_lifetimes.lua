#!lua flags=allow-oom
-- Gives sessions other lifetimes.
-- ARGV: channel, the lifetimes, then the sessions' keys. Returns how many live and have them now.
local changed, longest = 0, 0
for place = 1, #ARGV - 2 do
  local s, key = session(place), ARGV[place + 2]
  local value = redis.call('GET', s.record)
  local found = head_of(value)
  if found == 'A' or found == 'D' then
    value = value:sub(1, 46) .. with_lifetimes(value:sub(47), ARGV[2])
    redis.call('SET', s.record, value, 'KEEPTTL')
    local l = lifetimes(value)
    schedule(key, value, tonumber(redis.call('ZSCORE', found == 'A' and SEEN or GONE, key)) or created(s), l)
    keep(s, l.ttl)
    changed, longest = changed + 1, math.max(longest, l.ttl)
  end
end
keep_shard(longest)
return changed
