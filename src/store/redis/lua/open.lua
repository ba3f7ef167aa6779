#!lua
-- Opens a session, active and seen now, its handshake unconfirmed, unless its key is taken or the shard has its share.
-- ARGV: channel, key, record up to created-at, record after it, handshake, most sessions of the shard (-1: any number), and the
-- inner session if it has one.
-- Returns created-at; -1 if the key is taken, -2 if the shard is full.
local s, key, most = session(1), ARGV[2], tonumber(ARGV[6])
if most >= 0 and redis.call('ZCARD', SEEN) + redis.call('ZCARD', GONE) >= most then return -2 end
if redis.call('EXISTS', s.record) == 1 then return -1 end
local at = now()
local value = ARGV[3] .. struct.pack('>I8', at) .. ARGV[4]
local l = lifetimes(value)
redis.call('SET', s.record, value, 'PX', l.ttl)
redis.call('SET', s.handshake, ARGV[5], 'PX', l.ttl)
if ARGV[7] then set_inner(s, 1, ARGV[7]) else redis.call('DEL', s.inner) end
for _, index in ipairs({SEEN, BORN, UNCONFIRMED}) do redis.call('ZADD', index, at, key) end
schedule(key, value, at, l)
record('o', key, at, value)
count_client(value, 1)
keep_shard(l.ttl)
tell('o ' .. key)
return at
