#!lua flags=allow-oom
-- Makes a disconnected session active again, seen now, unless its retention has passed.
-- ARGV: channel, key, ttl, expires-after.
-- Returns how long it had been unseen; -1 if it was active already, -2 if it is gone.
local s, key, ttl, at = session(1), ARGV[2], tonumber(ARGV[3]), now()
local found = known(s)
if not found then return -2 end
if found == 'A' then return -1 end
local gap = math.max(at - (redis.call('ZSCORE', GONE, key) or 0), 0)
if gap >= tonumber(ARGV[4]) then return -2 end
redis.call('SETRANGE', s.record, 1, 'A')
redis.call('ZREM', GONE, key)
redis.call('ZADD', SEEN, at, key)
keep(s, ttl)
keep_shard(ttl)
tell('r ' .. key)
return gap
