#!lua flags=no-writes
-- Counts the shard's sessions, and tells what happened lately.
-- ARGV: channel, idle for less is healthy, idle for longer is stale.
-- Returns the clock, how many are active, disconnected, healthy and stale, the sum of what they lived; then two lists, of names
-- and numbers in turn: clients, and counters.
local at, healthy, stale = now(), 0, 0
for _, index in ipairs({SEEN, GONE}) do
  healthy = healthy + redis.call('ZCOUNT', index, '(' .. at - ARGV[2], '+inf')
  stale = stale + redis.call('ZCOUNT', index, '-inf', '(' .. at - ARGV[3])
end
return {at, redis.call('ZCARD', SEEN), redis.call('ZCARD', GONE), healthy, stale, redis.call('HGET', HEAD, 'lived') or 0,
  redis.call('HGETALL', CLIENTS), redis.call('HGETALL', COUNTS)}
