-- Accepts a prepared batch.
-- KEYS:    batch, mark of the acceptance, blob...
-- ARGV:    expiry (milliseconds since 1970), lifetime of the mark in milliseconds
-- Returns: 1 if the batch is accepted, now or before; 2 if it was accepted before and is gone; 0 if it was discarded

return accept(1, ARGV[1], ARGV[2])
