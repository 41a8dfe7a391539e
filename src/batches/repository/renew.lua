-- Extends a lease, if its holder still has it.
-- KEYS:    due, leased, woken, tokens
-- ARGV:    batch id, token, lease duration from now (milliseconds)
-- Returns: 1 if the lease is extended; 0 if it has expired

if redis.call('HGET', KEYS[4], ARGV[1]) ~= ARGV[2] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[3]), ARGV[1])
return 1
