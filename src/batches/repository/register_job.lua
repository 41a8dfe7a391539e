-- Registers a batch as the one that tracks an LRS job, unless another batch is registered. Idempotent.
-- KEYS:    job
-- ARGV:    id of the batch, expiry (milliseconds since 1970)
-- Returns: id of the registered batch

local registered = redis.call('GET', KEYS[1])
if registered then return registered end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
return ARGV[1]
