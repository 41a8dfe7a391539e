-- Accepts a prepared batch and makes it due now. Only where one server has the keys of the batch and those of the queue.
-- KEYS:    those of queue.lua, batch, mark of the acceptance, blob...
-- ARGV:    expiry (milliseconds since 1970), lifetime of the mark in milliseconds, batch id, place ('' if unknown)
-- Returns: 1 if the batch is accepted, now or before; 2 if it was accepted before and is gone; 0 if it was discarded

local accepted = accept(9, ARGV[1], ARGV[2])
if accepted == 1 then put(ARGV[3], now, ARGV[4] ~= '' and ARGV[4]) end
return accepted
