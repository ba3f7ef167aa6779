#!lua flags=allow-oom
-- Says which lifetimes new sessions are given. The first that were said hold for sessions written without any.
-- ARGV: channel, the lifetimes, how long to remember it. Returns those that were said last before, or nothing.
local before = redis.call('HGET', HEAD, 'announced')
redis.call('HSETNX', HEAD, 'lifetimes', ARGV[2])
redis.call('HSET', HEAD, 'announced', ARGV[2])
keep_shard(tonumber(ARGV[3]))
return before
