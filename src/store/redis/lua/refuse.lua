#!lua flags=allow-oom
-- Records that a reconnect was refused, with the session as it is, if it lives.
-- ARGV: channel, key ('': not known), outcome, door. Returns 1.
local key, value, seen = ARGV[2], '', ''
local s = session(1)
local found = key ~= '' and status(s)
if found == 'A' or found == 'D' then
  value = redis.call('GET', s.record)
  seen = redis.call('ZSCORE', found == 'A' and SEEN or GONE, key) or created(s)
end
record('f', key, seen, value, nil, ARGV[3], ARGV[4])
keep_shard(0)
return 1
