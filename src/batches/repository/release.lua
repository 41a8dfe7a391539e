-- Ends a lease, if its holder still has it, and sets the next due time. A batch that was woken meanwhile is due immediately, and one that
-- was scheduled for an earlier time is due then.
-- KEYS:    those of queue.lua; due of an earlier queue, if the batch goes there
-- ARGV:    batch id, token, next due time (milliseconds since 1970; '' for none), place ('' to keep it)
-- Returns: 1 if the lease is ended; 2 if, besides, the batch is due now; 0 if the lease had expired

local id, due_at, place, earlier_due = ARGV[1], tonumber(ARGV[3]), ARGV[4] ~= '' and ARGV[4], KEYS[9]
if call('HGET', TOKENS, id) ~= ARGV[2] then return 0 end
call('HDEL', TOKENS, id)
call('ZREM', LEASED, id)
if call('SREM', WOKEN, id) == 1 then
    wake(id, place)
    return 2
elseif earlier_due then
    call('ZADD', earlier_due, 'LT', text(due_at), id)
elseif due_at then
    put(id, due_at, place)
end
local scheduled = tonumber(call('ZSCORE', SCHEDULED, id))
if not scheduled then call('HDEL', PLACES, id) end
return scheduled and scheduled <= now and 2 or 1
