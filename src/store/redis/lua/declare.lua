#!lua flags=allow-oom
-- Says facts about the deployment.
-- KEYS: 1 the facts. ARGV: channel, how long to remember them, then for each its name, what it is, and 1 if who said it first is
-- believed.
-- Returns for each what was said before, '' for nothing and '=' before what was.
local facts, ttl, told = KEYS[1], tonumber(ARGV[2]), {}
for i = 3, #ARGV, 3 do
  local before = redis.call('HGET', facts, ARGV[i])
  told[#told + 1] = before and '=' .. before or ''
  if not (before and ARGV[i + 2] == '1') then redis.call('HSET', facts, ARGV[i], ARGV[i + 1]) end
end
if redis.call('PTTL', facts) < ttl then redis.call('PEXPIRE', facts, ttl) end
return told
