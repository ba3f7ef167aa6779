#!lua flags=no-writes
-- What makes an inner service know the session.
-- ARGV: channel. Returns nothing if there is no such session; else its handshake (nil if that is lost), the last letter's
-- position, the last listener's number, the generation, the inner session's number (0: it has none) and what is known of that, then for each
-- shaping call its name and the call.
local s = session(1)
local lives, generation = known(s)
if not lives then return {} end
local handshake = redis.call('GET', s.handshake)
local fields, incarnation, inner = redis.call('HGETALL', s.wire), inner_of(s)
local found, of = {handshake, 0, 0, generation, inner and incarnation or 0, inner or ''}, {}
for i = 1, #fields, 2 do
  of[fields[i]] = fields[i + 1]
  if fields[i]:sub(1, 1) == '!' then
    found[#found + 1] = fields[i]:sub(2)
    found[#found + 1] = fields[i + 1]
  end
end
found[2], found[3] = tonumber(of['#in'] or 0), tonumber(of['#listener'] or 0)
return found
