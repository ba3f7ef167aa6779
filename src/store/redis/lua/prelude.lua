-- Shared by all scripts; stands between a script's first line and the rest of it.
--
-- KEYS of every script: 1 seen, 2 gone, 3 born, then for each session record, handshake, data, log, meta.
-- ARGV[1] is always the bus channel. Everything a script touches lies in one shard, so in one slot.
local SEEN, GONE, BORN = KEYS[1], KEYS[2], KEYS[3]
local FORMAT, SLACK = 1, 60000

-- The clock all verdicts go by: milliseconds since the epoch.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The keys of the session at a place in KEYS.
local function session(place)
  local at = 3 + (place - 1) * 5
  return {record = KEYS[at + 1], handshake = KEYS[at + 2], data = KEYS[at + 3], log = KEYS[at + 4], meta = KEYS[at + 5]}
end

-- nil without a record, 'A' active, 'D' disconnected, 'N' a format this version does not know: hands off.
local function status(s)
  local head = redis.call('GETRANGE', s.record, 0, 1)
  if head == '' then return nil end
  return head:byte(1) == FORMAT and head:match('[AD]', 2) or 'N'
end

-- The same for scripts about a single session: they fail on a format this version does not know.
local function known(s)
  local found = status(s)
  if found == 'N' then error({err = 'NEWERFORMAT the record has a format this version does not know'}) end
  return found
end

-- Renews what a session lives on. Only once a minute has passed: touches are frequent.
local function keep(s, ttl)
  if redis.call('PTTL', s.record) >= ttl - SLACK then return end
  for _, key in ipairs({s.record, s.handshake, s.data, s.meta}) do redis.call('PEXPIRE', key, ttl) end
end

-- How long a key made now for a session has to live: as long as the record.
local function life(s)
  local ttl = redis.call('PTTL', s.record)
  return ttl > 0 and ttl or SLACK
end

-- Renews the indexes of the shard.
local function keep_shard(ttl)
  for _, key in ipairs({SEEN, GONE, BORN}) do
    if redis.call('PTTL', key) < ttl - SLACK then redis.call('PEXPIRE', key, ttl) end
  end
end

local function tell(news) redis.call('PUBLISH', ARGV[1], news) end

local function forget(key)
  for _, index in ipairs({SEEN, GONE, BORN}) do redis.call('ZREM', index, key) end
end

local function close(s, key, reason)
  redis.call('DEL', s.record, s.handshake, s.data, s.log, s.meta)
  forget(key)
  tell('e ' .. key .. ' ' .. reason)
end

-- The log: `kept` messages, the newest at position `last`; what stood up to position `floor` is no longer kept.
local function log_of(s)
  local meta = redis.call('HMGET', s.meta, '#last', '#bytes', '#fold')
  local last, kept = tonumber(meta[1] or 0), redis.call('LLEN', s.log)
  local bytes = kept > 0 and tonumber(meta[2]) or 0
  return {last = last, kept = kept, floor = last - kept, bytes = bytes, fold = tonumber(meta[3] or 0)}
end

-- A stream's newest position and the last one it lost (0: none; below 0: maybe some, up to there); nil if unknown.
local function row_of(s, log, stream)
  local last, lost = (redis.call('HGET', s.meta, ':' .. stream) or ''):match('^(%d+):(-?%d+)$')
  if not last then return nil, -log.fold end
  last, lost = tonumber(last), tonumber(lost)
  return last, last <= log.floor and last or lost
end

-- Forgets the rows of streams that have no message left, and remembers how far their losses went.
local function fold(s, log)
  local rows, upto = redis.call('HGETALL', s.meta), log.fold
  for i = 1, #rows, 2 do
    local last = tonumber(rows[i]:sub(1, 1) == ':' and rows[i + 1]:match('^%d+') or nil)
    if last and last <= log.last - log.kept then
      redis.call('HDEL', s.meta, rows[i])
      upto = math.max(upto, last)
    end
  end
  redis.call('HSET', s.meta, '#fold', upto)
end
