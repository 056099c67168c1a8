-- What 1C is told by a callback: an outbox, written in the same transaction as the change that it tells.

ALTER TABLE changes ADD COLUMN due INTEGER;           -- next attempt, where the change led to queued
ALTER TABLE changes ADD COLUMN waits TEXT;            -- the rule that it waits for then

CREATE TABLE callbacks (
    n            INTEGER PRIMARY KEY AUTOINCREMENT,   -- the delivery's number; a call's deliveries go out in this order
    call_n       INTEGER NOT NULL REFERENCES calls (n) ON DELETE CASCADE,
    cursor       INTEGER NOT NULL,                    -- the change that is told
    url          TEXT NOT NULL,
    host         TEXT NOT NULL,                       -- scheme, name and port: one that doesn't answer holds up no other
    state        TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed')),
    tries        INTEGER NOT NULL,
    due          INTEGER NOT NULL,                    -- next try, while waiting
    created      INTEGER NOT NULL,
    since        INTEGER NOT NULL,                    -- from when its time to give up counts: created, or asked for again
    changed      INTEGER NOT NULL,                    -- last try
    answer       INTEGER,                             -- HTTP status that the last try got
    error        TEXT                                 -- why the last try failed
) STRICT;

-- The next one of each host; those that aren't delivered, for people; a call's own.
CREATE INDEX callbacks_waiting ON callbacks (host, due, n)  WHERE state = 'waiting';
CREATE INDEX callbacks_open    ON callbacks (state, n)      WHERE state <> 'delivered';
CREATE INDEX callbacks_call    ON callbacks (call_n, n);
