#!lua flags=allow-oom
-- Gives the session another inner session, if its own is still the one that was expected.
-- ARGV: channel, generation, the number expected ('': it has none), what is known of the new one.
-- Returns the new one's number; or -1 not the session's generation, -2 gone; or 0, with the number (0: none) of the session's own
-- and what is known of that.
local s = session(1)
local refused = refusal(s, ARGV[2])
if refused then return {refused} end
local number, sealed = inner_of(s)
if ARGV[3] ~= (sealed and tostring(number) or '') then return {0, sealed and number or 0, sealed or ''} end
set_inner(s, number + 1, ARGV[4])
return {number + 1}
