#!lua flags=allow-oom
-- Counts requests that a client made by a revision without sessions. Where too many clients would have to be told apart, new
-- ones are not.
-- ARGV: channel, the client's name and version as JSON, how many, clients told apart in an hour. Returns 1.
local at, client, requests, most = now(), ARGV[2], ARGV[3], tonumber(ARGV[4])
redis.call('HINCRBY', COUNTS, bucket(at) .. 'm', requests)
local hour = math.floor(at / 3600000)
if tonumber(redis.call('HGET', COUNTS, '#hour')) ~= hour then
  for _, field in ipairs(redis.call('HKEYS', COUNTS)) do
    local of = tonumber(field:match('^(%d+):'))
    if of and math.abs(hour - of) > 23 then redis.call('HDEL', COUNTS, field) end
  end
  redis.call('HSET', COUNTS, '#hour', hour, '#apart', 0)
end
local field = hour .. ':' .. client
if redis.call('HEXISTS', COUNTS, field) == 0 then
  if redis.call('HINCRBY', COUNTS, '#apart', 1) > most then field = hour .. ':others' end
end
redis.call('HINCRBY', COUNTS, field, requests)
keep_shard(0)
return 1
