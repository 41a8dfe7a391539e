-- What the scripts of the queue share. This text precedes each of them. Keys and invariants: keys.rs.
-- KEYS:    scheduled, lines, places, organisations, turns, leased, woken, tokens, further keys of the script...

local SCHEDULED, LINES, PLACES, ORGANISATIONS, TURNS, LEASED, WOKEN, TOKENS = unpack(KEYS, 1, 8)
local LAST_RANK, MAX_TIME = 5, 9999999999999
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function text(number) return string.format('%.0f', number) end

-- Returns the entry of a batch in the lines. In the order of their text, entries are sorted by organisation, rank, time and id.
local function entry(place, time, id) return place .. ':' .. string.format('%013.0f', time) .. ':' .. id end

-- Returns where a batch waits: its organisation and rank. The organisation of a batch that an earlier version queued is not known.
local function place_of(id) return call('HGET', PLACES, id) or ':0' end

local function organisation_of(place) return string.match(place, '^[^:]*') end

-- Makes a batch wait for a visit at this time, unless it waits for an earlier one. Without a place, it keeps the one that it has.
local function put(id, time, place)
    local old_time = tonumber(call('ZSCORE', SCHEDULED, id))
    time = math.min(math.max(time, 0), old_time or MAX_TIME, MAX_TIME)
    if old_time then call('ZREM', LINES, entry(place_of(id), old_time, id)) end
    place = place or place_of(id)
    call('ZADD', SCHEDULED, text(time), id)
    call('HSET', PLACES, id, place)
    call('ZADD', LINES, 0, entry(place, time, id))
    call('ZADD', ORGANISATIONS, 'LT', text(time), organisation_of(place))
end

-- Makes a batch due immediately, in the first line of its organisation: a caller has changed it.
local function wake(id, place) put(id, now, organisation_of(place or place_of(id)) .. ':0') end

-- Returns the time and id of an entry in the lines.
local function batch_of(found, organisation)
    return { time = tonumber(string.sub(found, #organisation + 4, #organisation + 16)), id = string.sub(found, #organisation + 18) }
end

-- Returns the first batch of a line, with its time; nil if there is none.
local function first_of(organisation, rank)
    local line = organisation .. ':' .. rank
    local first = call('ZRANGE', LINES, '[' .. line .. ':', '(' .. line .. ';', 'BYLEX', 'LIMIT', 0, 1)[1]
    return first and batch_of(first, organisation)
end

-- Returns the first batch of each line of an organisation, by rank. Skips the lines that are empty.
local function firsts_of(organisation)
    local firsts, start = {}, '[' .. organisation .. ':'
    while true do
        local first = call('ZRANGE', LINES, start, '(' .. organisation .. ';', 'BYLEX', 'LIMIT', 0, 1)[1]
        if not first then return firsts end
        local rank = tonumber(string.sub(first, #organisation + 2, #organisation + 2))
        firsts[rank] = batch_of(first, organisation)
        start = '(' .. organisation .. ':' .. rank .. ';'
    end
end

-- Takes a batch out of its line.
local function take(id, time, place)
    call('ZREM', SCHEDULED, id)
    call('ZREM', LINES, entry(place, time, id))
end

-- Sets the time of an organisation's next turn: when its first batch is due, but behind the organisations that wait already. Returns `true`
-- if the organisation has a due batch.
local function set_turn(organisation, firsts)
    local earliest = math.huge
    for rank = 0, LAST_RANK do earliest = math.min(earliest, firsts[rank] and firsts[rank].time or math.huge) end
    if earliest == math.huge then
        call('ZREM', ORGANISATIONS, organisation)
        call('HDEL', TURNS, organisation)
    else
        call('ZADD', ORGANISATIONS, text(math.max(earliest, now)), organisation)
    end
    return earliest <= now
end
