#!lua flags=allow-oom
-- Takes the inner session that the session left behind when it ended.
-- ARGV: channel. Returns what is known of it; nothing while the session lives, if it had none, or if somebody took it.
local s = session(1)
if known(s) then return false end
local _, sealed = inner_of(s)
redis.call('DEL', s.inner)
return sealed or false
