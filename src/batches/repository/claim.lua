-- Makes batches with an expired lease due again, then leases due batches: of each organisation in turn, as many as the worker can take. A
-- leased batch that was scheduled is woken instead. Takes over batches of earlier queues that are due, unless they are leased there.
-- KEYS:    those of queue.lua; due of the queue of the last version; due, leased, woken, tokens of the queue before that
-- ARGV:    lease duration (milliseconds), maximum number of batches, the same of each organisation, token, then pairs of an organisation and
--          the number of its batches that this worker can take
-- Returns: now, time of the next turn or end of a lease ('' if none; now if due batches are left only because of the maximum number), ids
--          of the leased batches, their organisations ('' if unknown), organisations that have due batches beyond these limits

local MAX_MOVED = 100
local lease_duration, limit, limit_per_organisation, token = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local limits, exceptions = {}, 0
for index = 5, #ARGV, 2 do
    limits[ARGV[index]], exceptions = tonumber(ARGV[index + 1]), exceptions + 1
end
local function due_in(key) return call('ZRANGEBYSCORE', key, '-inf', text(now), 'LIMIT', 0, MAX_MOVED) end

for _, id in ipairs(due_in(LEASED)) do
    call('ZREM', LEASED, id)
    call('HDEL', TOKENS, id)
    put(id, now)
end

local function take_over(due_of_last_version, earlier_due, earlier_leased, earlier_woken, earlier_tokens)
    for _, id in ipairs(due_in(due_of_last_version)) do
        call('ZREM', due_of_last_version, id)
        put(id, now)
    end
    for _, id in ipairs(due_in(earlier_leased)) do
        call('ZREM', earlier_leased, id)
        call('HDEL', earlier_tokens, id)
        put(id, now)
    end
    for _, id in ipairs(due_in(earlier_due)) do
        call('ZREM', earlier_due, id)
        if call('ZSCORE', earlier_leased, id) then
            call('SADD', earlier_woken, id)
        else
            put(id, now)
        end
    end
end
if call('EXISTS', KEYS[9], KEYS[10], KEYS[11]) > 0 then take_over(unpack(KEYS, 9, 13)) end

-- The clock may have gone back since the turn of this organisation was set. Then it has come nevertheless.
local first_due = call('ZRANGEBYSCORE', SCHEDULED, '-inf', text(now), 'LIMIT', 0, 1)[1]
if first_due then call('ZADD', ORGANISATIONS, 'LT', text(now), organisation_of(place_of(first_due))) end

local ids, organisations, waiting = {}, {}, {}

-- Returns the rank of the batch whose turn it is; nil if no batch is due.
local function rank_of_turn(organisation, firsts)
    local lowest, longest
    for rank = 0, LAST_RANK do
        if firsts[rank] and firsts[rank].time <= now then
            lowest = lowest or rank
            if not longest or firsts[rank].time < firsts[longest].time then longest = rank end
        end
    end
    if not lowest or call('HDEL', TURNS, organisation) == 1 then return longest end
    call('HSET', TURNS, organisation, 'longest')
    return lowest
end

-- Leases due batches of an organisation.
local function serve(organisation, most)
    local firsts, leased = firsts_of(organisation), 0
    while leased < most do
        local rank = rank_of_turn(organisation, firsts)
        if not rank then break end
        local id = firsts[rank].id
        take(id, firsts[rank].time, organisation .. ':' .. rank)
        firsts[rank] = first_of(organisation, rank)
        if call('ZADD', LEASED, 'NX', text(now + lease_duration), id) == 0 then
            call('SADD', WOKEN, id)
        else
            call('HSET', TOKENS, id, token)
            table.insert(ids, id)
            table.insert(organisations, organisation)
            leased = leased + 1
        end
    end
    if set_turn(organisation, firsts) then table.insert(waiting, organisation) end
end

local next_time = call('ZRANGEBYSCORE', ORGANISATIONS, '(' .. text(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
-- Every organisation without a limit of its own that is read here has a due batch, so more need not be read.
local most_read = limit + exceptions + 1
local read = call('ZRANGEBYSCORE', ORGANISATIONS, '-inf', text(now), 'LIMIT', 0, most_read)
for _, organisation in ipairs(read) do
    local most = organisation == '' and limit or limits[organisation] or limit_per_organisation
    if #ids < limit and most > 0 then
        serve(organisation, math.min(most, limit - #ids))
    elseif most > 0 or organisation == '' then
        next_time = text(now)
    else
        table.insert(waiting, organisation)
        limits[organisation] = nil
    end
end
for organisation, most in pairs(#read == most_read and limits or {}) do
    local turn = most == 0 and tonumber(call('ZSCORE', ORGANISATIONS, organisation))
    if turn and turn <= now then table.insert(waiting, organisation) end
end
local lease_end = call('ZRANGE', LEASED, 0, 0, 'WITHSCORES')[2]
if next_time and lease_end then next_time = text(math.min(next_time, lease_end)) end
return { text(now), next_time or lease_end or '', ids, organisations, waiting }
