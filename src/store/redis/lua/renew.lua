#!lua flags=allow-oom
-- Begins another epoch of the log of events, if it ends before an offset that was known of the epoch.
-- ARGV: channel, epoch, offset. Returns the epoch and the last offset.
local epoch, offset = head()
if epoch == ARGV[2] and offset < tonumber(ARGV[3]) then
  local _, micros = now()
  epoch = micros
  redis.call('HSET', HEAD, 'epoch', epoch)
end
keep_shard(0)
return {epoch, offset}
