-- A list of three words in an index's condition is a table of its own, made and dropped at each write of a call; words
-- joined by OR are compared.

DROP INDEX calls_ended;
DROP INDEX calls_uncounted;
CREATE INDEX calls_ended     ON calls (changed) WHERE status = 'finished' OR status = 'cancelled' OR status = 'expired';
CREATE INDEX calls_uncounted ON calls (changed)
    WHERE counted = 0 AND (status = 'finished' OR status = 'cancelled' OR status = 'expired');
