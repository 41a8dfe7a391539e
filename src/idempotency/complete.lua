-- Records the result of reserved work. Does nothing if another request holds the reservation now. Idempotent.
--
-- KEYS:    the entry
-- ARGV:    token of the reservation; new state ('done', 'unknown', or '' to delete the entry); encrypted answer
-- Returns: 1 if the result was recorded, 0 if the token differs or the entry does not exist
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
    return 0
end
if ARGV[2] == '' then
    redis.call('DEL', KEYS[1])
else
    redis.call('HSET', KEYS[1], 'state', ARGV[2], 'answer', ARGV[3])
end
return 1
