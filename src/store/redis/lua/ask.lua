#!lua
-- Notes that the session's client owes an answer.
-- ARGV: channel, generation, question, most fields. Returns 1; 0 too many are open, -1 not the session's generation, -2 gone.
local s, field = session(1), '?' .. ARGV[3]
local refused = refusal(s, ARGV[2])
if refused then return refused end
if redis.call('HEXISTS', s.wire, field) == 1 then return 1 end
if redis.call('HLEN', s.wire) >= tonumber(ARGV[4]) + 8 then return 0 end
wire(s, field, 1)
return 1
