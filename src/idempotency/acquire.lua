-- Looks up an idempotency key, and reserves the work if no other request holds it. Idempotent: a repeated call with the same token
-- returns the same result.
--
-- An entry is a hash: fingerprint (an older name: the pseudonym of the body), state (first, again, done, unknown), until (end of the
-- reservation's lease in milliseconds since 1970), token (of the reservation), work (id of the work), answer (encrypted, once done),
-- expired (time at which a request found the lease expired).
--
-- KEYS:    the keys that the entry may have, the current one first
-- ARGV:    token, work id, lease in milliseconds, lifetime of the entry in milliseconds, delay of a takeover in milliseconds, then the
--          body's pseudonym for each of KEYS
-- Returns: status, work id, answer, index of the entry's key. The status is 'first' or 'again' (reserved; 'again': an earlier attempt has
--          an unknown outcome), 'expired' (to be taken over after the delay), 'in_progress', 'body_mismatch' or 'done'.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local index = 1
for candidate, key in ipairs(KEYS) do
    if redis.call('EXISTS', key) == 1 then
        index = candidate
        break
    end
end
local key, fingerprint = KEYS[index], ARGV[5 + index]
local reserved_until = string.format('%.0f', now + ARGV[3])
local entry = redis.call('HMGET', key, 'fingerprint', 'state', 'until', 'token', 'work', 'answer', 'expired')
if not entry[1] then
    redis.call('HSET', key, 'fingerprint', fingerprint, 'state', 'first', 'until', reserved_until, 'token', ARGV[1], 'work', ARGV[2])
    redis.call('PEXPIRE', key, ARGV[4])
    return {'first', ARGV[2], '', tostring(index)}
end
if entry[1] ~= fingerprint then
    return {'body_mismatch', '', '', tostring(index)}
end
if entry[2] == 'done' then
    return {'done', entry[5], entry[6], tostring(index)}
end
if entry[4] == ARGV[1] then
    return {entry[2], entry[5], '', tostring(index)}
end
if entry[2] ~= 'unknown' and tonumber(entry[3]) > now then
    return {'in_progress', '', '', tostring(index)}
end
-- The lease has expired. The holder gets time to renew it: perhaps the store was unavailable, and not the holder.
if entry[2] ~= 'unknown' then
    if not entry[7] then
        redis.call('HSET', key, 'expired', string.format('%.0f', now))
    end
    if now - tonumber(entry[7] or now) < tonumber(ARGV[5]) then
        return {'expired', '', '', tostring(index)}
    end
end
redis.call('HDEL', key, 'expired')
redis.call('HSET', key, 'state', 'again', 'until', reserved_until, 'token', ARGV[1])
return {'again', entry[5], '', tostring(index)}
