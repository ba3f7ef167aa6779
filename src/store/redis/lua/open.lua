#!lua
-- Opens a session, active and seen now, unless its key is taken.
-- ARGV: channel, key, ttl, record up to created-at, record after it, handshake.
-- Returns created-at, or nil if the key is taken.
local s, key, ttl = session(1), ARGV[2], ARGV[3]
if redis.call('EXISTS', s.record) == 1 then return nil end
local at = now()
redis.call('SET', s.record, ARGV[4] .. struct.pack('>I8', at) .. ARGV[5], 'PX', ttl)
redis.call('SET', s.handshake, ARGV[6], 'PX', ttl)
redis.call('ZADD', SEEN, at, key)
redis.call('ZADD', BORN, at, key)
keep_shard(tonumber(ttl))
tell('o ' .. key)
return at
