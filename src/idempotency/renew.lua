-- Extends the lease of a reservation, if its holder still has it.
--
-- KEYS:    the entry
-- ARGV:    token of the reservation, lease from now in milliseconds
-- Returns: 1 if the lease is extended, 0 if another request holds the reservation now, or the entry does not exist
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
    return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + ARGV[2]))
redis.call('HDEL', KEYS[1], 'expired')
return 1
