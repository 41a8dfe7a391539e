-- Ends the registration of a batch as the one that tracks an LRS job. Does nothing if another batch is registered. Idempotent.
-- KEYS:    job
-- ARGV:    id of the batch
-- Returns: 1 if the batch was registered, 0 if not

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
