#!lua flags=allow-oom
-- Makes a disconnected session active again, seen now, on another replica, unless its retention has passed.
-- ARGV: channel, key, replica, generation.
-- Returns how long it had been unseen; -1 not the session's generation, -2 gone, -3 active already.
local s, key, at = session(1), ARGV[2], now()
local found, generation = known(s)
if not found then return -2 end
if generation ~= tonumber(ARGV[4]) then return -1 end
if found == 'A' then return -3 end
local seen = tonumber(redis.call('ZSCORE', GONE, key)) or 0
local gap = math.max(at - seen, 0)
local value = redis.call('GET', s.record)
local l = lifetimes(value)
if l and gap >= l.expires then return -2 end
local origin = origin_of(value)
local from = origin.r
origin.r = ARGV[3]
value = value:sub(1, 1) .. 'A' .. value:sub(3, 46) .. cjson.encode(origin)
redis.call('SET', s.record, value, 'KEEPTTL')
move(key, GONE, seen, SEEN, at)
schedule(key, value, at, l)
record('r', key, at, value, gap, from)
keep(s, l and l.ttl)
keep_shard(l and l.ttl or 0)
tell('r ' .. key)
return gap
