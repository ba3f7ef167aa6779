#!lua flags=allow-oom
-- Judges sessions that may be due, by their own lifetimes: idle ones become disconnected; expired, too old and unconfirmed ones end.
-- ARGV: channel, how long it must have been due, then the sessions' keys.
-- Returns for each what was done, in letters: d disconnected, e expired, m too old, b abandoned, N left alone (newer format).
local latest, longest, did = now() - ARGV[2], 0, {}

-- Why the session ends, and the letter for it.
local function over(key, value, seen, l)
  local opened = redis.call('ZSCORE', UNCONFIRMED, key)
  if value:byte(2) == 68 and seen + l.expires <= latest then return 'expired', 'e' end
  if l.most and struct.unpack('>I8', value, 7) + l.most <= latest then return 'max_lifetime', 'm' end
  if opened and opened + l.handshake <= latest then return 'abandoned', 'b' end
end

local function judge(s, key)
  local value = redis.call('GET', s.record)
  local found = head_of(value)
  if found == 'N' then return 'N' end
  if not found then forget(key) return '' end
  local l = lifetimes(value)
  -- Nobody has announced any: looked at again in a minute.
  if not l then redis.call('ZADD', DUE, now() + 60000, key) return '' end
  longest = math.max(longest, l.ttl)
  local seen, done = tonumber(redis.call('ZSCORE', found == 'A' and SEEN or GONE, key)) or created(s), ''
  if found == 'A' and seen + l.idle <= latest then
    redis.call('SETRANGE', s.record, 1, 'D')
    value = value:sub(1, 1) .. 'D' .. value:sub(3)
    move(key, SEEN, seen, GONE, seen)
    record('d', key, seen, value)
    tell('d ' .. key)
    done = 'd'
  end
  local reason, letter = over(key, value, seen, l)
  if reason then close(s, key, reason) else schedule(key, value, seen, l) end
  return done .. (letter or '')
end

for place = 1, #ARGV - 2 do did[place] = judge(session(place), ARGV[place + 2]) end
keep_shard(longest)
return did
