#!lua flags=allow-oom
-- Counts requests of the revisions without sessions.
-- ARGV: channel, how many. Returns 1.
redis.call('HINCRBY', COUNTS, bucket((now())) .. 'm', ARGV[2])
keep_shard(0)
return 1
