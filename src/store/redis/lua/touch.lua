#!lua flags=allow-oom
-- Tells of activity some time ago. Never moves last-seen back, never changes a status.
-- ARGV: channel, then for each session its key, the generation that was active, the age of the activity and 1 if it confirms
-- the handshake.
-- Returns the clock and for each session a letter: A active, D disconnected, S superseded, G gone, N left alone (newer
-- format).
local at, longest, outcomes = now(), 0, {}

local function touch(s, key, generation, age, confirms)
  local value = redis.call('GET', s.record)
  local found, own = head_of(value)
  if not found then return 'G' end
  if found == 'N' then return 'N' end
  local seen, l = tonumber(redis.call('ZSCORE', found == 'A' and SEEN or GONE, key)), lifetimes(value)
  if l and at - (seen or at) >= l.expires then return 'G' end
  if own ~= tonumber(generation) then return 'S' end
  if confirms == '1' then redis.call('ZREM', UNCONFIRMED, key) end
  if found == 'D' then return 'D' end
  local active = math.max(at - age, 0)
  if not seen or active > seen then move(key, SEEN, seen or created(s), SEEN, active) end
  if l then longest = math.max(longest, l.ttl) keep(s, l.ttl) end
  return 'A'
end

for place = 1, (#ARGV - 1) / 4 do
  outcomes[place] = touch(session(place), unpack(ARGV, place * 4 - 2, place * 4 + 1))
end
keep_shard(longest)
return {at, table.concat(outcomes)}
