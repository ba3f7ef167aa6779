#!lua flags=no-writes
-- The session as it is.
-- ARGV: channel, key. Returns its record and when it was last seen, or nothing if it does not live.
local value = redis.call('GET', session(1).record)
if not value then return {} end
return {value, tonumber(redis.call('ZSCORE', value:byte(2) == 65 and SEEN or GONE, ARGV[2])) or 0}
