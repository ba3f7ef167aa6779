#!lua flags=allow-oom
-- Tells of activity some time ago. Never moves last-seen back, never changes a status.
-- ARGV: channel, ttl, expires-after, then for each session its key, the generation that was active, the age of the activity
-- and 1 if it confirms the handshake.
-- Returns the clock and for each session a letter: A active, D disconnected, S superseded, G gone, N left alone (newer
-- format).
local ttl, expires_after, at, outcomes = tonumber(ARGV[2]), tonumber(ARGV[3]), now(), {}
for place = 1, (#ARGV - 3) / 4 do
  local s, arg = session(place), place * 4
  local key, found, generation = ARGV[arg], status(s)
  local seen = tonumber(redis.call('ZSCORE', found == 'A' and SEEN or GONE, key))
  if not found or found ~= 'N' and at - (seen or at) >= expires_after then
    found = 'G'
  elseif found ~= 'N' and generation ~= tonumber(ARGV[arg + 1]) then
    found = 'S'
  elseif found ~= 'N' and ARGV[arg + 3] == '1' then
    redis.call('ZREM', UNCONFIRMED, key)
  end
  if found == 'A' then
    local active = math.max(at - ARGV[arg + 2], 0)
    if not seen or active > seen then move(key, SEEN, seen or created(s), SEEN, active) end
    keep(s, ttl)
  end
  outcomes[place] = found
end
keep_shard(ttl)
return {at, table.concat(outcomes)}
