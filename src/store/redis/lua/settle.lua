#!lua flags=allow-oom
-- Closes a question.
-- ARGV: channel, generation, question. Returns 1, or 0 if it was not open, not of this generation, or the session is gone.
local s = session(1)
if refusal(s, ARGV[2]) then return 0 end
return redis.call('HDEL', s.wire, '?' .. ARGV[3])
