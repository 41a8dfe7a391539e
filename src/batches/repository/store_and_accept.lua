-- Stores a small batch, lists it, accepts it and makes it due now. Only where one server has the keys of the batch, its list and the queue.
-- KEYS:    those of queue.lua, batch, mark of the acceptance, list of the organisation's batches, blob...
-- ARGV:    expiry (milliseconds since 1970), lifetime of the mark in milliseconds, batch id, place ('' if unknown), lifetime of the list in
--          milliseconds, end of the ids that the list keeps no longer, time until which the batch can be accepted (milliseconds since 1970),
--          number of fields and values of the batch, these, values of the blobs...
-- Returns: 1 if the batch is accepted, now or before; 2 if it was accepted before and is gone; 0 if it is too late

local BATCH, MARK, LIST, FIRST_BLOB, FIRST_FIELD = KEYS[9], KEYS[10], KEYS[11], 12, 9
local expires_at, id, last_field = ARGV[1], ARGV[3], FIRST_FIELD - 1 + tonumber(ARGV[8])
if call('HGET', BATCH, 'accepted') ~= '1' then
    if call('EXISTS', MARK) == 1 then return 2 end
    if now > tonumber(ARGV[7]) then return 0 end
    for index = FIRST_BLOB, #KEYS do
        call('SET', KEYS[index], ARGV[last_field + 1 + index - FIRST_BLOB], 'PXAT', expires_at)
    end
    call('ZADD', LIST, 0, id)
    call('PEXPIRE', LIST, ARGV[5])
    call('ZREMRANGEBYLEX', LIST, '-', ARGV[6])
    call('HSET', BATCH, 'accepted', '1', 'expires', expires_at, unpack(ARGV, FIRST_FIELD, last_field))
    call('PEXPIREAT', BATCH, expires_at)
    call('SET', MARK, '1', 'PX', ARGV[2])
end
put(id, now, ARGV[4] ~= '' and ARGV[4])
return 1
