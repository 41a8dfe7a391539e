-- Accepts a prepared batch.
-- KEYS:    batch, blob...
-- ARGV:    expiry (milliseconds since 1970)
-- Returns: 1 if the batch is accepted, now or before; 0 if not

return accept(1, ARGV[1])
