#!lua flags=allow-oom
-- Takes a permit from a window, unless all that a span has are taken.
-- KEYS: the window, a list of when permits were given. ARGV: channel, most permits, their span.
-- Returns the clock, and how long until there is another permit; -1 if one was given.
local window, most, span, at = KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3]), now()
local oldest = most == 0 and at or redis.call('LINDEX', window, -most)
if oldest and at - oldest < span then return {at, math.min(oldest + span - at, span)} end
redis.call('RPUSH', window, at)
redis.call('LTRIM', window, -most, -1)
redis.call('PEXPIRE', window, span)
return {at, -1}
