#!lua flags=allow-oom
-- Ends a session: nothing of it is left, but its inner session for a while.
-- ARGV: channel, key, reason. Returns 1, or 0 if there was no such session.
local s = session(1)
if not known(s) then return 0 end
close(s, ARGV[2], ARGV[3])
keep_shard(0)
return 1
