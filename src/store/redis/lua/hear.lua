#!lua flags=allow-oom
-- Reads the listening stream for its listener, who has heard everything up to a position.
-- ARGV: channel, listener, position, most messages.
-- Returns nothing if another one listens or the session is gone; else as the script that reads a stream.
local s, position = session(1), tonumber(ARGV[3])
if not known(s) then return {} end
local state = redis.call('HMGET', s.wire, '#listener', '#heard')
if state[1] ~= ARGV[2] then return {} end
if tonumber(state[2] or 0) < position then redis.call('HSET', s.wire, '#heard', ARGV[3]) end
return slice(s, 'listen', position, tonumber(ARGV[4]))
