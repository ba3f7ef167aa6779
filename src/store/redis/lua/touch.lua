#!lua flags=allow-oom
-- Tells of activity some time ago. Never moves last-seen back, never changes a status.
-- ARGV: channel, ttl, expires-after, then for each session its key and the age of the activity.
-- Returns the clock and for each session a letter: A active, D disconnected, G gone, N left alone (newer format).
local ttl, expires_after, at, outcomes = tonumber(ARGV[2]), tonumber(ARGV[3]), now(), {}
for place = 1, (#ARGV - 3) / 2 do
  local s, key, age = session(place), ARGV[place * 2 + 2], tonumber(ARGV[place * 2 + 3])
  local found = status(s) or 'G'
  local index = found == 'A' and SEEN or GONE
  if found ~= 'N' and at - (redis.call('ZSCORE', index, key) or at) >= expires_after then found = 'G' end
  if found == 'A' then
    redis.call('ZADD', SEEN, 'GT', math.max(at - age, 0), key)
    keep(s, ttl)
  end
  outcomes[place] = found
end
keep_shard(ttl)
return {at, table.concat(outcomes)}
