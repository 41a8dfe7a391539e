-- Changes a part and its blobs, if the batch is accepted and the part is as expected.
-- KEYS:    batch, blobs to write..., blobs to delete...
-- ARGV:    part number, expected part, updated part, number of blobs to write, their values...
-- Returns: 1 if the part is updated, now or before; 0 if it is not as expected, or if the batch is not accepted

if redis.call('HGET', KEYS[1], 'accepted') ~= '1' then return 0 end
local part = redis.call('HGET', KEYS[1], ARGV[1])
if part == ARGV[3] then return 1 end
if part ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
local expires = redis.call('HGET', KEYS[1], 'expires')
local put_count = tonumber(ARGV[4])
for index = 1, #KEYS - 1 do
    if index <= put_count then
        redis.call('SET', KEYS[1 + index], ARGV[4 + index])
        redis.call('PEXPIREAT', KEYS[1 + index], expires)
    else
        redis.call('DEL', KEYS[1 + index])
    end
end
return 1
