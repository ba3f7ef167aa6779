#!lua flags=allow-oom
-- Finds sessions that may be due, oldest first. The sweep script judges them again. Writes nothing, but does not say so:
-- a demoted primary refuses it then, instead of telling that nothing is due.
-- ARGV: channel, idle timeout, expires-after, max lifetime (-1: none), limit, and how many to skip in each index.
-- Returns three lists of keys: idle, expired, too old.
local at, limit = now(), ARGV[5]
local function due(index, span, skip)
  if tonumber(span) < 0 then return {} end
  return redis.call('ZRANGEBYSCORE', index, '-inf', at - span, 'LIMIT', skip, limit)
end
return {due(SEEN, ARGV[2], ARGV[6]), due(GONE, ARGV[3], ARGV[7]), due(BORN, ARGV[4], ARGV[8])}
