-- Recordings; what is deleted and masked with time; what reports count.

CREATE TABLE recordings (
    call_n       INTEGER NOT NULL REFERENCES calls (n) ON DELETE CASCADE,
    attempt      INTEGER NOT NULL,
    number       INTEGER NOT NULL,                -- from 1, within the attempt
    file         TEXT NOT NULL,                   -- as Asterisk sees it
    channels     INTEGER NOT NULL,                -- 2: name-caller.wav and name-robot.wav stand for name.wav
    began        INTEGER NOT NULL,
    ended        INTEGER,                         -- by the dialog; NULL: with the attempt
    bytes        INTEGER,                         -- of its files, once they were measured
    deleted      INTEGER,                         -- when they were deleted, or found gone
    PRIMARY KEY (call_n, attempt, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX recordings_kept ON recordings (began, bytes, deleted) WHERE deleted IS NULL;

INSERT INTO recordings (call_n, attempt, number, file, channels, began)
    SELECT call_n, attempt, 1, recording, 1, started FROM attempts WHERE recording IS NOT NULL;

-- Deleting, masking and export go along the ended calls by the time of their end.
CREATE INDEX calls_ended ON calls (changed) WHERE status IN ('finished', 'cancelled', 'expired');

ALTER TABLE calls ADD COLUMN phone_masked TEXT;   -- what is left of phone, which then is NULL

CREATE TABLE walks (
    name         TEXT NOT NULL PRIMARY KEY,       -- events, masks; changes: the newest cursor that was deleted, in n
    changed      INTEGER NOT NULL,                -- how far: the last call's end, and its number
    n            INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What has ended waits here until reports have counted it.
ALTER TABLE attempts ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;
CREATE INDEX attempts_uncounted ON attempts (ended) WHERE counted = 0 AND ended IS NOT NULL;
CREATE INDEX calls_uncounted ON calls (changed) WHERE counted = 0 AND status IN ('finished', 'cancelled', 'expired');

-- Counters of one day, by kind and key: reports add them up, so that they need no call's history.
CREATE TABLE counts (
    dialog       TEXT NOT NULL,
    day          INTEGER NOT NULL,                -- 20261129, in the server's time zone
    version      TEXT NOT NULL,                   -- of the scripts; empty: no dialog ran
    kind         TEXT NOT NULL,
    key          TEXT NOT NULL,
    count        INTEGER NOT NULL,
    sum          INTEGER NOT NULL,
    PRIMARY KEY (dialog, day, version, kind, key)
) STRICT, WITHOUT ROWID;

-- What people said that was none of the expected answers.
CREATE TABLE unmatched (
    dialog       TEXT NOT NULL,
    day          INTEGER NOT NULL,
    version      TEXT NOT NULL,
    stage        TEXT NOT NULL,
    text         TEXT NOT NULL,                   -- lower case, no punctuation
    question     TEXT NOT NULL,                   -- of the newest of them, with its call
    call_id      TEXT NOT NULL,
    count        INTEGER NOT NULL,
    PRIMARY KEY (dialog, day, version, stage, text)
) STRICT, WITHOUT ROWID;
