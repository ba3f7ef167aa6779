-- Shared by all scripts; stands between a script's first line and the rest of it.
--
-- KEYS of every script about sessions: 1 seen, 2 gone, 3 born, 4 unconfirmed, 5 events, 6 head, 7 counts, 8 clients, 9 due, then for
-- each session record, handshake, data, log, meta, wire, inbox, inner. ARGV[1] is always the bus channel and, after a blank, how many
-- events a shard keeps. Everything a script touches lies in one shard, so in one slot.
local SEEN, GONE, BORN, UNCONFIRMED = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local EVENTS, HEAD, COUNTS, CLIENTS, DUE = KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local BUS, KEPT = ARGV[1]:match('^(%S+) (%d+)$')
local FORMAT, SLACK, A_DAY, FAREWELL = 1, 60000, 86400000, 60000

-- The clock all verdicts go by, read once: milliseconds since the epoch. Then the same in microseconds, as digits.
local time
local function now()
  time = time or redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000), time[1] .. string.format('%06d', time[2])
end

-- The keys of the session at a place in KEYS.
local function session(place)
  local at = 9 + (place - 1) * 8
  return {record = KEYS[at + 1], handshake = KEYS[at + 2], data = KEYS[at + 3], log = KEYS[at + 4], meta = KEYS[at + 5],
    wire = KEYS[at + 6], inbox = KEYS[at + 7], inner = KEYS[at + 8]}
end

-- Of a record or its beginning up to the digest's end: nil without one, 'A' active, 'D' disconnected, 'N' a format this version does not know: hands
-- off. Then the session's generation.
local function head_of(value)
  if not value or value == '' then return nil end
  local letter = #value >= 46 and value:byte(1) == FORMAT and value:match('^[AD]', 2)
  if not letter then return 'N' end
  return letter, (struct.unpack('>I4', value, 3))
end

local function status(s) return head_of(redis.call('GETRANGE', s.record, 0, 45)) end

-- The same for scripts about a single session: they fail on a format this version does not know.
local function known(s)
  local found, generation = status(s)
  if found == 'N' then error({err = 'NEWERFORMAT the record has a format this version does not know'}) end
  return found, generation
end

-- Why a write for a generation of the session is refused: -1 it is not the session's own, -2 the session is gone.
local function refusal(s, generation)
  local found, own = known(s)
  if not found then return -2 end
  if own ~= tonumber(generation) then return -1 end
end

-- How long a session lives, from its record: spans in ms (most: nil for any), how long its keys are kept, and the text that says
-- so. A record without has the lifetimes that were announced first; nil if none were.
local announced
local function lifetimes(value)
  local text = value:match('"l":"([^"]*)"', 47)
  if not text then
    if announced == nil then announced = redis.call('HGET', HEAD, 'lifetimes') end
    text = announced or ''
  end
  local idle, expires, most, handshake = text:match('^(%d+) (%d+) (%S+) (%d+) ')
  if not idle then return nil end
  return {idle = tonumber(idle), expires = tonumber(expires), most = tonumber(most), handshake = tonumber(handshake),
    ttl = expires + 300000, text = text}
end

-- Puts lifetimes into what stands after a record's digest, in place of those there.
local function with_lifetimes(json, text)
  local bare, removed = json:gsub(',"l":"[^"]*"', '', 1)
  if removed == 0 then bare = json:gsub('"l":"[^"]*",', '', 1) end
  return bare:sub(1, -2) .. ',"l":"' .. text .. '"}'
end

-- Renews what a session lives on. Only once a minute has passed: touches are frequent.
local function keep(s, ttl)
  if not ttl or redis.call('PTTL', s.record) >= ttl - SLACK then return end
  for _, key in ipairs({s.record, s.handshake, s.data, s.meta, s.wire, s.inner}) do redis.call('PEXPIRE', key, ttl) end
end

-- How long a key made now for a session has to live: as long as the record.
local function life(s)
  local ttl = redis.call('PTTL', s.record)
  return ttl > 0 and ttl or SLACK
end

-- What is known of the session's inner session: its number (0: there never was one), then nil if there is none now.
local function inner_of(s)
  local value = redis.call('GET', s.inner) or ''
  local number, sealed = value:match('^(%d+):(.*)$')
  return tonumber(number or value) or 0, sealed
end

-- Gives the session an inner session, or takes it away; the number stays then, for the next one to have a higher.
local function set_inner(s, number, sealed)
  redis.call('SET', s.inner, number .. (sealed and ':' .. sealed or ''), 'PX', life(s))
end

-- How much longer this script has made the time from opening to the last activity, over all sessions of the shard.
local lived = 0

-- What a script that changed sessions ends with: the sum of what they lived is brought up to date, and the shard's keys are
-- renewed. What happened is kept for a day at least.
local function keep_shard(ttl)
  if lived ~= 0 then redis.call('HINCRBY', HEAD, 'lived', lived) end
  local function renew(keys, life)
    for _, key in ipairs(keys) do
      if redis.call('PTTL', key) < life - SLACK then redis.call('PEXPIRE', key, life) end
    end
  end
  renew({SEEN, GONE, BORN, UNCONFIRMED, DUE}, ttl)
  renew({EVENTS, HEAD, COUNTS, CLIENTS}, math.max(ttl, A_DAY))
end

local function tell(news) redis.call('PUBLISH', BUS, news) end

-- Begins another epoch of the log of events. Its name is the moment.
local function begin_epoch()
  local _, micros = now()
  redis.call('HSET', HEAD, 'epoch', micros)
  return micros
end

-- Where the log of events ends: its epoch, its last offset, and the id that has. A log that has no epoch begins one.
local function head()
  local epoch, last = unpack(redis.call('HMGET', HEAD, 'epoch', 'last'))
  if epoch and last then return epoch, tonumber(last:match('^%d+')), last end
  redis.call('DEL', EVENTS)
  redis.call('HSET', HEAD, 'last', '0-0')
  return begin_epoch(), 0, '0-0'
end

-- Begins the five minutes of a moment, if they have not begun, and drops those of yesterday. Returns their number.
local function bucket(at)
  local number, last = math.floor(at / 300000), tonumber(redis.call('HGET', COUNTS, '#'))
  if number == last then return number end
  if not last or math.abs(number - last) > 288 then
    redis.call('DEL', COUNTS)
    last = number
  end
  for old = last - 288, number - 289 do
    for what in ('odreahfm'):gmatch('.') do redis.call('HDEL', COUNTS, old .. what) end
  end
  redis.call('HSET', COUNTS, '#', number)
  return number
end

-- What is known of a session: the unchanging part of its record.
local function origin_of(record)
  local readable, origin = pcall(cjson.decode, record:sub(47))
  return readable and type(origin) == 'table' and origin or {}
end

-- Records what happened to a session, with its record but for the digest: in the log, in the counters, to those who watch.
-- What: o opened, d disconnected, r returned, t reconnected with a token, p adopted, e ended, f refused.
local function record(what, key, seen, value, gap, detail, door)
  local at, micros = now()
  local epoch, offset = head()
  local id = offset + 1 .. '-' .. micros
  local shown = value:sub(1, 14) .. value:sub(47)
  local text = table.concat({what, key, at, seen, gap or '', detail or '', door or '', shown}, '\n')
  redis.call('HSET', HEAD, 'last', id)
  redis.call('XADD', EVENTS, 'MAXLEN', '~', KEPT, id, 'e', text)
  redis.call('PUBLISH', BUS .. ':events', KEYS[1]:match('{(%d+)}') .. ' ' .. epoch .. ' ' .. id .. '\n' .. text)
  if what ~= 'p' then redis.call('HINCRBY', COUNTS, bucket(at) .. (what == 't' and 'r' or what), 1) end
end

-- Counts a live session of a client more or less. Where too many clients would have to be told apart, new ones are not.
local function count_client(value, step)
  local client = origin_of(value).c or {}
  local field = cjson.encode({client.name or '', client.version or ''})
  local apart = redis.call('HEXISTS', CLIENTS, field) == 1 or step > 0 and redis.call('HLEN', CLIENTS) < 200
  field = apart and field or 'others'
  if redis.call('HINCRBY', CLIENTS, field, step) <= 0 then redis.call('HDEL', CLIENTS, field) end
end

-- Moves a session, seen before at one moment and now at another, from an index to an index.
local function move(key, from, before, to, seen)
  if from ~= to then redis.call('ZREM', from, key) end
  redis.call('ZADD', to, seen, key)
  lived = lived + seen - before
end

-- When a session was opened.
local function created(s) return (struct.unpack('>I8', redis.call('GETRANGE', s.record, 6, 13))) end

-- When the next thing is due of a session: it is idle, its retention is over, it is too old, or was never confirmed.
local function deadline(key, value, seen, l)
  local at, opened = seen + (value:byte(2) == 65 and l.idle or l.expires), redis.call('ZSCORE', UNCONFIRMED, key)
  if l.most then at = math.min(at, struct.unpack('>I8', value, 7) + l.most) end
  return opened and math.min(at, opened + l.handshake) or at
end

-- Has the sweep look at a session when something is due of it. Activity moves a deadline, not its place in the index: the
-- sweep looks then, and puts it where it belongs.
local function schedule(key, value, seen, l)
  if l then redis.call('ZADD', DUE, deadline(key, value, seen, l), key) end
end

-- Takes a session out of the indexes. Returns when it was last seen.
local function forget(key, born)
  local seen = redis.call('ZSCORE', SEEN, key) or redis.call('ZSCORE', GONE, key)
  born = born or redis.call('ZSCORE', BORN, key)
  if seen and born then lived = lived + born - seen end
  for _, index in ipairs({SEEN, GONE, BORN, UNCONFIRMED, DUE}) do redis.call('ZREM', index, key) end
  return tonumber(seen)
end

-- Ends a session that lives. Its inner session is left behind for a while. With a shard's last one its sums end too, and what they may have wrong: of a session that Redis
-- itself dropped, nobody knows whose it was.
local function close(s, key, reason)
  local value, born = redis.call('GET', s.record), created(s)
  redis.call('DEL', s.record, s.handshake, s.data, s.log, s.meta, s.wire, s.inbox)
  redis.call('PEXPIRE', s.inner, FAREWELL)
  local seen = forget(key, born) or born
  record('e', key, seen, value, nil, reason)
  local number = bucket((now()))
  if value:byte(2) == 65 then redis.call('HINCRBY', COUNTS, number .. 'a', 1) end
  redis.call('HINCRBY', COUNTS, number .. 'h', math.max(seen - born, 0))
  count_client(value, -1)
  if redis.call('EXISTS', BORN) == 0 then
    lived = 0
    redis.call('HDEL', HEAD, 'lived')
    redis.call('DEL', CLIENTS)
  end
  tell('e ' .. key .. ' ' .. reason)
end

-- The log: `kept` messages, the newest at position `last`; what stood up to position `floor` is no longer kept. Of streams
-- that stood up to position `fold` nothing is known any more, but for the listening one and those that have a row.
local function log_of(s)
  local meta = redis.call('HMGET', s.meta, '#last', '#bytes', '#fold')
  -- Where Redis has dropped this hash, positions go on after those that a listener knows.
  local last = tonumber(meta[1] or redis.call('HGET', s.wire, '#heard') or 0)
  local kept = redis.call('LLEN', s.log)
  local bytes = kept > 0 and tonumber(meta[2]) or 0
  return {last = last, kept = kept, floor = last - kept, bytes = bytes, fold = tonumber(meta[3] or 0)}
end

-- A stream's newest position, the last one it lost (0: none; below 0: maybe some, up to there) and its state ('o' and what
-- was said at its beginning, 'f' finished, '' never begun). No position if the stream is unknown.
local function row_of(s, log, stream)
  local last, lost, state = (redis.call('HGET', s.meta, ':' .. stream) or ''):match('^(%d+):(-?%d+):(.*)$')
  if not last then return nil, stream == 'listen' and 0 or -log.fold, '' end
  last, lost = tonumber(last), tonumber(lost)
  return last, last <= log.floor and last or lost, state
end

-- Forgets the rows of streams that are not open and have no message left, and remembers how far their losses went.
local function fold(s, log)
  local rows, upto = redis.call('HGETALL', s.meta), log.fold
  for i = 1, #rows, 2 do
    local last, state = rows[i + 1]:match('^(%d+):%-?%d+:(.?)')
    last = tonumber(rows[i]:sub(1, 1) == ':' and rows[i] ~= ':listen' and state ~= 'o' and last or nil)
    if last and last <= log.last - log.kept then
      redis.call('HDEL', s.meta, rows[i])
      upto = math.max(upto, last)
    end
  end
  redis.call('HSET', s.meta, '#fold', upto)
end

-- Forgets all streams but the listening one. What is left of their messages goes when it has to make room.
local function forget_calls(s)
  local log, listen = log_of(s), redis.call('HGET', s.meta, ':listen')
  if (row_of(s, log, 'listen') or 0) <= log.floor then redis.call('DEL', s.log) end
  redis.call('DEL', s.meta)
  if log.last == 0 then return end
  redis.call('HSET', s.meta, '#last', log.last, '#bytes', log.bytes, '#fold', log.last)
  if listen then redis.call('HSET', s.meta, ':listen', listen) end
  redis.call('PEXPIRE', s.meta, life(s))
end

-- A stream's messages after a position: 1 if some after it are lost, else 0; its state; then positions and messages.
local function slice(s, stream, after, most)
  local log = log_of(s)
  local _, lost, state = row_of(s, log, stream)
  local gap = lost > after or (0 < after and after < -lost)
  local found, mine = {gap and 1 or 0, state}, string.char(#stream) .. stream
  local index = math.max(after - log.floor, stream == 'listen' and 0 or log.fold - log.floor, 0)
  while index < log.kept and #found <= 2 * most do
    for _, entry in ipairs(redis.call('LRANGE', s.log, index, index + 63)) do
      index = index + 1
      if #found <= 2 * most and entry:sub(1, #mine) == mine then
        found[#found + 1] = log.floor + index
        found[#found + 1] = entry:sub(#mine + 1)
      end
    end
  end
  return found
end

-- Sets fields of what replicas tell each other about a session.
local function wire(s, ...)
  redis.call('HSET', s.wire, ...)
  redis.call('PEXPIRE', s.wire, life(s))
end

-- The session has a new holder: the old one owes no answer and no longer listens. With a new handshake, how the old one
-- shaped the session is forgotten too.
local function change_hands(s, handshake)
  for _, field in ipairs(redis.call('HKEYS', s.wire)) do
    local owed, shaped = field:match('^%?') or field == '#there', field:match('^!') or field == '#shapes'
    if owed or handshake and shaped then redis.call('HDEL', s.wire, field) end
    if field == '#listener' then redis.call('HINCRBY', s.wire, field, 1) end
  end
  if handshake then redis.call('SET', s.handshake, handshake, 'PX', life(s)) end
end

-- Puts a letter into the session's inbox, whose oldest ones make room.
local function mail(s, key, letter, most, most_bytes, ttl)
  local last, bytes = redis.call('HINCRBY', s.wire, '#in', 1), tonumber(redis.call('HGET', s.wire, '#bytes') or 0)
  if redis.call('RPUSH', s.inbox, letter) == 1 then bytes = 0 end
  bytes = bytes + #letter
  local kept = redis.call('LLEN', s.inbox)
  while kept > 1 and (kept > tonumber(most) or bytes > tonumber(most_bytes)) do
    bytes, kept = bytes - #redis.call('LPOP', s.inbox), kept - 1
  end
  wire(s, '#bytes', bytes)
  redis.call('PEXPIRE', s.inbox, math.min(life(s), ttl))
  tell('i ' .. key)
  return last
end
