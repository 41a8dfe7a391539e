-- Accepts a prepared batch and makes it due now. Only where one server has the keys of the batch and those of the queue.
-- KEYS:    those of queue.lua, batch, blob...
-- ARGV:    expiry (milliseconds since 1970), batch id, place ('' if unknown)
-- Returns: 1 if the batch is accepted, now or before; 0 if not

if accept(9, ARGV[1]) == 0 then return 0 end
put(ARGV[2], now, ARGV[3] ~= '' and ARGV[3])
return 1
