-- Deletes a batch that was prepared but never accepted. Its blobs expire by themselves.
-- KEYS:    batch
-- ARGV:    none
-- Returns: 1 if the batch does not exist any more; 0 if it is accepted

if redis.call('HGET', KEYS[1], 'accepted') == '1' then return 0 end
redis.call('DEL', KEYS[1])
return 1
