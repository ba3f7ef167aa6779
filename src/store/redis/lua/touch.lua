#!lua flags=allow-oom
-- Tells of activity some time ago. Never moves last-seen back, never changes a status.
-- ARGV: channel, ttl, then for each session its key and the age of the activity.
-- Returns the clock and for each session a letter: A active, D disconnected, G gone, N left alone (newer format).
local ttl, at, outcomes = tonumber(ARGV[2]), now(), {}
for place = 1, (#ARGV - 2) / 2 do
  local s, key, age = session(place), ARGV[place * 2 + 1], tonumber(ARGV[place * 2 + 2])
  local found = status(s) or 'G'
  if found == 'A' then
    redis.call('ZADD', SEEN, 'GT', math.max(at - age, 0), key)
    keep(s, ttl)
  end
  outcomes[place] = found
end
keep_shard(ttl)
return {at, table.concat(outcomes)}
