-- Ends a lease, if its holder still has it, and sets the next due time. A batch that was woken meanwhile is due immediately, and one that
-- was scheduled for an earlier time is due then.
-- KEYS:    due (of this queue, or of the queue of earlier versions), leased, woken, tokens
-- ARGV:    batch id, token, next due time (milliseconds since 1970; '' for none)
-- Returns: 1 if the lease is ended; 0 if it had expired

if redis.call('HGET', KEYS[4], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[4], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('SREM', KEYS[3], ARGV[1]) == 1 then
    redis.call('ZADD', KEYS[1], 0, ARGV[1])
elseif ARGV[3] ~= '' then
    redis.call('ZADD', KEYS[1], 'LT', ARGV[3], ARGV[1])
end
return 1
