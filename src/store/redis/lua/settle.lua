#!lua flags=allow-oom
-- Closes a question.
-- ARGV: channel, question. Returns 1, or 0 if it was not open.
local s = session(1)
if not known(s) then return 0 end
return redis.call('HDEL', s.wire, '?' .. ARGV[2])
