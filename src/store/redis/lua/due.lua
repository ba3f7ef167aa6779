#!lua flags=allow-oom
-- Finds sessions that may be due, oldest first. The sweep script judges them again. Writes nothing, but does not say so:
-- a demoted primary refuses it then, instead of telling that nothing is due.
-- ARGV: channel, idle timeout, expires-after, max lifetime (-1: none), handshake timeout, limit, and how many to skip in each
-- index.
-- Returns four lists of keys: idle, expired, too old, unconfirmed.
local at, limit, found = now(), ARGV[6], {}
for i, index in ipairs({SEEN, GONE, BORN, UNCONFIRMED}) do
  local span, skip = tonumber(ARGV[i + 1]), ARGV[i + 6]
  found[i] = span < 0 and {} or redis.call('ZRANGEBYSCORE', index, '-inf', at - span, 'LIMIT', skip, limit)
end
return found
