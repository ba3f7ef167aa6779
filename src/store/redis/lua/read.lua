#!lua flags=no-writes
-- Reads a stream's messages after a position, oldest first.
-- ARGV: channel, stream, position, most messages.
-- Returns 1 if messages after the position are lost, else 0; the stream's state; then for each message its position and
-- the message.
local s = session(1)
if not known(s) then return {0, ''} end
return slice(s, ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]))
