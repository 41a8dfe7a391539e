-- Counts the unfinished batches, and the claimable ones (due now and not leased).
-- KEYS:    due, leased, due and leased of the queue of earlier versions
-- ARGV:    none
-- Returns: number of unfinished batches, number of claimable batches, time since the oldest of them became due (milliseconds)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Woken batches have the score 0. They are due immediately, not since 1970.
local oldest = redis.call('ZRANGEBYSCORE', KEYS[1], '(0', string.format('%.0f', now), 'WITHSCORES', 'LIMIT', 0, 1)[2]
local unfinished = redis.call('ZCARD', KEYS[1]) + redis.call('ZCARD', KEYS[2]) + redis.call('ZCARD', KEYS[3]) + redis.call('ZCARD', KEYS[4])
local claimable = redis.call('ZCOUNT', KEYS[1], '-inf', string.format('%.0f', now))
return {unfinished, claimable, math.floor(now - (oldest or now))}
