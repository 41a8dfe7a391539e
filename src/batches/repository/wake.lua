-- Makes a batch due immediately, or at the end of its current lease.
-- KEYS:    due, leased, woken, tokens
-- ARGV:    batch id
-- Returns: 1

if redis.call('ZSCORE', KEYS[2], ARGV[1]) then
    redis.call('SADD', KEYS[3], ARGV[1])
else
    redis.call('ZADD', KEYS[1], 0, ARGV[1])
end
return 1
