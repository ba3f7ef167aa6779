#!lua flags=allow-oom
-- Judges sessions that may be due: idle ones become disconnected, expired and too old ones end.
-- ARGV: channel, ttl, idle timeout, expires-after, max lifetime (-1: none), then the sessions' keys.
-- Returns for each what was done, in letters: d disconnected, e expired, m too old, N left alone (newer format).
local at, did = now(), {}
local idle, expires, lifetime = at - ARGV[3], at - ARGV[4], tonumber(ARGV[5])

local function judge(s, key)
  local found, done = status(s), ''
  if found == 'N' then return 'N' end
  if not found then
    forget(key)
    return ''
  end
  local seen = redis.call('ZSCORE', SEEN, key)
  if seen and tonumber(seen) <= idle then
    redis.call('SETRANGE', s.record, 1, 'D')
    redis.call('ZREM', SEEN, key)
    redis.call('ZADD', GONE, seen, key)
    tell('d ' .. key)
    done = 'd'
  end
  local gone, born = redis.call('ZSCORE', GONE, key), redis.call('ZSCORE', BORN, key)
  if gone and tonumber(gone) <= expires then
    close(s, key, 'expired')
    return done .. 'e'
  end
  if lifetime >= 0 and born and tonumber(born) <= at - lifetime then
    close(s, key, 'max_lifetime')
    return done .. 'm'
  end
  return done
end

for place = 1, #ARGV - 5 do did[place] = judge(session(place), ARGV[place + 5]) end
keep_shard(tonumber(ARGV[2]))
return did
