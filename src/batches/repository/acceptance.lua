-- What the scripts that accept a batch share. This text precedes each of them.

-- Accepts a prepared batch and sets the expiry of it and of its blobs. The keys from this number on are the batch, the mark of its acceptance, and
-- its blobs. Returns 1 if the batch is accepted, now or before; 0 if it does not exist or was discarded; 2 if it was accepted before and is gone:
-- then deletes what was prepared, so that an erased batch does not come back.
local function accept(number, expires_at, mark_lifetime)
    local accepted = redis.call('HGET', KEYS[number], 'accepted')
    if accepted == '1' then return 1 end
    if redis.call('EXISTS', KEYS[number + 1]) == 1 then
        for index = number, #KEYS do
            if index ~= number + 1 then redis.call('DEL', KEYS[index]) end
        end
        return 2
    end
    if accepted ~= '0' then return 0 end
    redis.call('HSET', KEYS[number], 'accepted', '1', 'expires', expires_at)
    for index = number, #KEYS do redis.call('PEXPIREAT', KEYS[index], expires_at) end
    redis.call('SET', KEYS[number + 1], '1', 'PX', mark_lifetime)
    return 1
end

