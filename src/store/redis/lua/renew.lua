#!lua flags=allow-oom
-- Begins another epoch of the log of events, if it ends before an offset that was known of the epoch.
-- ARGV: channel, epoch, offset. Returns the epoch and the last id.
local epoch, offset, last = head()
if epoch == ARGV[2] and offset < tonumber(ARGV[3]) then epoch = begin_epoch() end
keep_shard(0)
return {epoch, last}
