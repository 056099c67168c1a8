-- The history of a call, numbered from 1 within it.

ALTER TABLE calls ADD COLUMN events INTEGER NOT NULL DEFAULT 0;   -- how many are kept

CREATE TABLE events (
    call_n       INTEGER NOT NULL REFERENCES calls (n) ON DELETE CASCADE,
    seq          INTEGER NOT NULL,
    attempt      INTEGER NOT NULL,                -- 0: of the order, not of an attempt
    at           INTEGER NOT NULL,
    at_ms        INTEGER,                         -- on the attempt's own clock
    kind         TEXT NOT NULL,
    data         TEXT NOT NULL,
    PRIMARY KEY (call_n, seq)
) STRICT, WITHOUT ROWID;
