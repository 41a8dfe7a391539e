-- Accepts a prepared batch and sets its expiry. Fails if the batch does not exist or was discarded.
-- KEYS:    batch, blob...
-- ARGV:    expiry (milliseconds since 1970)
-- Returns: 1 if the batch is accepted, now or before; 0 if not

local accepted = redis.call('HGET', KEYS[1], 'accepted')
if accepted == '1' then return 1 end
if accepted ~= '0' then return 0 end
redis.call('HSET', KEYS[1], 'accepted', '1', 'expires', ARGV[1])
for _, key in ipairs(KEYS) do redis.call('PEXPIREAT', key, ARGV[1]) end
return 1
