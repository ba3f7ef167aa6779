#!lua flags=allow-oom
-- Ends a session: nothing of it is left, but its inner session for a while if nobody takes that.
-- ARGV: channel, key, reason, and the generation of the holder who ends it and takes its inner session; '' for an operator.
-- Returns 1, with the inner session if it was taken; or -1 not the session's generation, -2 gone.
local s, generation = session(1), ARGV[4]
local found, own = known(s)
if not found then return {-2} end
if generation ~= '' and own ~= tonumber(generation) then return {-1} end
close(s, ARGV[2], ARGV[3])
keep_shard(0)
if generation == '' then return {1} end
local _, sealed = inner_of(s)
redis.call('DEL', s.inner)
return {1, sealed}
