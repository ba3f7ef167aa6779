#!lua flags=allow-oom
-- Proves that scripts run here, and may write and publish. Changes nothing.
-- ARGV: channel. Returns the clock.
redis.call('ZREM', SEEN, '')
tell('probe')
return now()
