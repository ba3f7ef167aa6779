#!lua
-- Puts a letter into the session's inbox; one that answers a question, only while that is open.
-- ARGV: channel, key, generation, question ('': none), most letters, most bytes, ttl of the inbox, letter.
-- Returns its position; -1 not the session's generation, -2 gone, -3 the question is not open.
local s = session(1)
local refused = refusal(s, ARGV[3])
if refused then return refused end
if ARGV[4] ~= '' and redis.call('HDEL', s.wire, '?' .. ARGV[4]) == 0 then return -3 end
return mail(s, ARGV[2], ARGV[8], ARGV[5], ARGV[6], ARGV[7])
