#!lua flags=allow-oom
-- Gives the session's listening stream to a new listener.
-- ARGV: channel, key, generation, the cursor's listener (0: no cursor), the cursor's position, the
-- listener's replica.
-- Returns the listener's number and the position after which it goes on; or -1 not the session's generation, -2 gone,
-- -3 no such cursor, -4 a newer listener is there.
local s, cursor, position = session(1), tonumber(ARGV[4]), tonumber(ARGV[5])
local refused = refusal(s, ARGV[3])
if refused then return {refused} end
local state = redis.call('HMGET', s.wire, '#listener', '#there', '#heard')
local listener, heard = tonumber(state[1] or 0), tonumber(state[3] or 0)
if cursor > 0 then
  if cursor > listener or position > log_of(s).last then return {-3} end
  if cursor < listener and state[2] then return {-4} end
  heard = position
end
wire(s, '#listener', listener + 1, '#there', 1, '#heard', heard)
tell('l ' .. ARGV[2] .. ' ' .. ARGV[6])
return {listener + 1, heard}
