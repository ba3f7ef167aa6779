#!lua flags=allow-oom
-- Makes an anonymous session a principal's: its secret stays, its anonymous holder's calls and listener are over.
-- ARGV: channel, key, generation that is to end, principal.
-- Returns the generation from now on, and 1 if the principal had adopted it before, else 0; or -1 and 0: not the session's generation,
-- -2 and 0: gone, -3 and 0: somebody else's.
local s, key, ends, principal = session(1), ARGV[2], tonumber(ARGV[3]), ARGV[4]
local found, generation = known(s)
if not found then return {-2, 0} end
local value = redis.call('GET', s.record)
local origin = origin_of(value)
if origin.p then
  if origin.p ~= principal or not origin.a then return {-3, 0} end
  if origin.a ~= generation or ends ~= generation and ends + 1 ~= generation then return {-1, 0} end
  return {generation, 1}
end
if generation ~= ends then return {-1, 0} end

origin.p, origin.a = principal, generation + 1
value = value:sub(1, 2) .. struct.pack('>I4', origin.a) .. value:sub(7, 46) .. cjson.encode(origin)
redis.call('SET', s.record, value, 'KEEPTTL')
forget_calls(s)
if redis.call('HEXISTS', s.wire, '#listener') == 1 then redis.call('HINCRBY', s.wire, '#listener', 1) end
redis.call('HDEL', s.wire, '#there', '#retry')
record('p', key, redis.call('ZSCORE', found == 'A' and SEEN or GONE, key) or created(s), value)
keep_shard(0)
tell('p ' .. key .. ' ' .. origin.a)
return {origin.a, 0}
