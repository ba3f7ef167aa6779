#!lua
-- Makes a stream known before it has a message.
-- ARGV: channel, generation, stream, what is said about it.
-- Returns the log's last position; -1 not the session's generation, -2 gone.
local s = session(1)
local refused, log = refusal(s, ARGV[2]), log_of(s)
if refused then return refused end
redis.call('HSETNX', s.meta, ':' .. ARGV[3], '0:0:o' .. ARGV[4])
redis.call('PEXPIRE', s.meta, life(s))
return log.last
