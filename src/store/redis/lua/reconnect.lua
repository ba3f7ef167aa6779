#!lua flags=allow-oom
-- Gives the session a new holder and makes it active, seen now; the old one's calls, questions and listener are forgotten.
-- ARGV: channel, key, generation that is to end, record after created-at, digest of the nonce ('': none), how long the winner may
-- retry, and the new handshake if there is one, with the inner session that answered it if there is one.
-- Returns the generation, 1 for the winner's retry else 0, the clock, created-at, how long the session had been unseen,
-- the last letter's position, the inner session's number from now on (0: none) and what is known of it, and both of the one it
-- took the place of; or -1 not the session's generation, -2 gone.
local s, key, ends, nonce, handshake, brought, at = session(1), ARGV[2], tonumber(ARGV[3]), ARGV[5], ARGV[7], ARGV[8], now()
local found, generation = known(s)
if not found then return {-2} end
local index = found == 'A' and SEEN or GONE
local seen = tonumber(redis.call('ZSCORE', index, key))
local gap = math.max(at - (seen or at), 0)
local born, old = created(s), redis.call('GET', s.record)
local l = lifetimes(old)
if l and gap >= l.expires then return {-2} end

local again = generation ~= ends
if again then
  local of, till, shown = (redis.call('HGET', s.wire, '#retry') or ''):match('^(%d+):(%d+):(.*)$')
  if nonce ~= shown or tonumber(of) ~= ends or at >= tonumber(till) then return {-1} end
else
  generation = generation + 1
end

local after = l and ARGV[4]:sub(1, 32) .. with_lifetimes(ARGV[4]:sub(33), l.text) or ARGV[4]
local value = string.char(FORMAT) .. 'A' .. struct.pack('>I4', generation) .. old:sub(7, 14) .. after
redis.call('SET', s.record, value, 'KEEPTTL')
redis.call('ZREM', UNCONFIRMED, key)
move(key, index, seen or born, SEEN, at)
schedule(key, value, at, l)
count_client(old, -1)
count_client(value, 1)
if not again then record('t', key, at, value, gap, origin_of(old).r) end
keep(s, l and l.ttl)
keep_shard(l and l.ttl or 0)
-- A try that comes late, of a client that has its answer already, takes nothing of what was done since.
local late = again and value:sub(15, 46) == old:sub(15, 46) and (not handshake or handshake == redis.call('GET', s.handshake))
if not late then forget_calls(s) change_hands(s, handshake) end
local number, inner = inner_of(s)
local told = {generation, again and 1 or 0, at, born, gap, 0, inner and number or 0, inner or '', 0, ''}
if handshake and not late and (inner or brought) then
  if brought then number = number + 1 end
  set_inner(s, number, brought)
  told[9], told[10] = told[7], told[8]
  told[7], told[8] = brought and number or 0, brought or ''
end
if not again then redis.call('HDEL', s.wire, '#retry') end
if not again and nonce ~= '' then wire(s, '#retry', ends .. ':' .. at + ARGV[6] .. ':' .. nonce) end
tell('g ' .. key .. ' ' .. generation)
told[6] = tonumber(redis.call('HGET', s.wire, '#in') or 0)
return told
