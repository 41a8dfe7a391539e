-- Makes batches with an expired lease due again, then leases due batches. A leased batch that was scheduled is woken instead.
-- Takes over batches of the earlier queue that are due, unless they are leased there.
-- KEYS:    due, leased, woken, tokens, and the same of the queue of earlier versions
-- ARGV:    lease duration (milliseconds), maximum number of batches, token
-- Returns: now, next due time or end of a lease ('' if none), ids of the leased batches...

local time = redis.call('TIME')
local text = function(number) return string.format('%.0f', number) end
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', text(now), 'LIMIT', 0, 1000)) do
    redis.call('ZREM', KEYS[2], id)
    redis.call('HDEL', KEYS[4], id)
    redis.call('ZADD', KEYS[1], text(now), id)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', text(now), 'LIMIT', 0, 1000)) do
    redis.call('ZREM', KEYS[6], id)
    redis.call('HDEL', KEYS[8], id)
    redis.call('ZADD', KEYS[1], text(now), id)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', text(now), 'LIMIT', 0, 1000)) do
    redis.call('ZREM', KEYS[5], id)
    if redis.call('ZSCORE', KEYS[6], id) then
        redis.call('SADD', KEYS[7], id)
    else
        redis.call('ZADD', KEYS[1], 'LT', text(now), id)
    end
end
local reply = {text(now), ''}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now), 'LIMIT', 0, ARGV[2])) do
    redis.call('ZREM', KEYS[1], id)
    if redis.call('ZSCORE', KEYS[2], id) then
        redis.call('SADD', KEYS[3], id)
    else
        redis.call('ZADD', KEYS[2], text(now + ARGV[1]), id)
        redis.call('HSET', KEYS[4], id, ARGV[3])
        table.insert(reply, id)
    end
end
local next_due = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
local next_expiry = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
if next_due and next_expiry then next_due = text(math.min(next_due, next_expiry)) end
reply[2] = next_due or next_expiry or ''
return reply
