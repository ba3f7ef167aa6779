#!lua flags=allow-oom
-- Judges sessions that may be due: idle ones become disconnected; expired, too old and unconfirmed ones end.
-- ARGV: channel, ttl, idle timeout, expires-after, max lifetime (-1: none), handshake timeout, then the sessions' keys.
-- Returns for each what was done, in letters: d disconnected, e expired, m too old, b abandoned, N left alone (newer format).
local at, did = now(), {}

-- Since when the session stands in an index, if that is a span or longer.
local function due(index, key, span)
  local since = redis.call('ZSCORE', index, key)
  return since and tonumber(span) >= 0 and tonumber(since) <= at - span and since
end

-- Why the session ends, and the letter for it.
local function over(key)
  if due(GONE, key, ARGV[4]) then return 'expired', 'e' end
  if due(BORN, key, ARGV[5]) then return 'max_lifetime', 'm' end
  if due(UNCONFIRMED, key, ARGV[6]) then return 'abandoned', 'b' end
end

local function judge(s, key)
  local found, done = status(s), ''
  if found == 'N' then return 'N' end
  if not found then forget(key) end
  local seen = due(SEEN, key, ARGV[3])
  if seen then
    redis.call('SETRANGE', s.record, 1, 'D')
    move(key, SEEN, seen, GONE, seen)
    record('d', key, seen, redis.call('GET', s.record))
    tell('d ' .. key)
    done = 'd'
  end
  local reason, letter = over(key)
  if reason then close(s, key, reason) end
  return done .. (letter or '')
end

for place = 1, #ARGV - 6 do did[place] = judge(session(place), ARGV[place + 6]) end
keep_shard(tonumber(ARGV[2]))
return did
