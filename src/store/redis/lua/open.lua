#!lua
-- Opens a session, active and seen now, its handshake unconfirmed, unless its key is taken or the shard has its share.
-- ARGV: channel, key, ttl, record up to created-at, record after it, handshake, most sessions of the shard (-1: any number), and the
-- inner session if it has one.
-- Returns created-at; -1 if the key is taken, -2 if the shard is full.
local s, key, ttl, most = session(1), ARGV[2], ARGV[3], tonumber(ARGV[7])
if most >= 0 and redis.call('ZCARD', SEEN) + redis.call('ZCARD', GONE) >= most then return -2 end
if redis.call('EXISTS', s.record) == 1 then return -1 end
local at = now()
local value = ARGV[4] .. struct.pack('>I8', at) .. ARGV[5]
redis.call('SET', s.record, value, 'PX', ttl)
redis.call('SET', s.handshake, ARGV[6], 'PX', ttl)
if ARGV[8] then set_inner(s, 1, ARGV[8]) else redis.call('DEL', s.inner) end
for _, index in ipairs({SEEN, BORN, UNCONFIRMED}) do redis.call('ZADD', index, at, key) end
record('o', key, at, value)
count_client(value, 1)
keep_shard(tonumber(ttl))
tell('o ' .. key)
return at
