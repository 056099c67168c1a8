-- Calls, their attempts, and the changes that 1C reads.
-- Times are Unix milliseconds; params and data are JSON objects; words are those of HTTP.

-- "Govo": says that a SQLite file is ours.
PRAGMA application_id = 1198487151;

CREATE TABLE calls (
    n            INTEGER PRIMARY KEY,             -- age: who came first
    id           TEXT NOT NULL UNIQUE,            -- 1C's
    direction    TEXT NOT NULL CHECK (direction IN ('outgoing', 'incoming')),
    phone        TEXT,                            -- NULL: a hidden caller
    dialog       TEXT NOT NULL,
    params       TEXT NOT NULL,
    file         TEXT,
    priority     INTEGER NOT NULL,
    not_before   INTEGER,
    expires      INTEGER,
    attempts     INTEGER NOT NULL,                -- at most
    callback     TEXT,
    body_hash    TEXT NOT NULL,                   -- of the order as it came: tells a repeat from a conflict

    status       TEXT NOT NULL CHECK (status IN ('queued', 'dialing', 'talking', 'finished', 'cancelled', 'expired')),
    outcome      TEXT,                            -- of the last attempt that ended
    data         TEXT NOT NULL,
    attempt      INTEGER NOT NULL,                -- how many began
    due          INTEGER,                         -- next attempt, while queued
    ready        INTEGER NOT NULL,                -- 1: queued and its time has come
    cancel       INTEGER NOT NULL,                -- 1: 1C asked for the end
    recovered    INTEGER NOT NULL,                -- how often a crash put it back
    recording    TEXT,
    created      INTEGER NOT NULL,
    changed      INTEGER NOT NULL
) STRICT;

-- The next order to dial, in its order; the next time that comes; what runs out; what a crash may have cut.
CREATE INDEX calls_ready   ON calls (priority DESC, n) WHERE status = 'queued' AND ready = 1;
CREATE INDEX calls_waiting ON calls (due)              WHERE status = 'queued' AND ready = 0;
CREATE INDEX calls_expires ON calls (expires)          WHERE status = 'queued' AND expires IS NOT NULL;
CREATE INDEX calls_dialing ON calls (n)                WHERE status = 'dialing';
CREATE INDEX calls_talking ON calls (n)                WHERE status = 'talking';

CREATE TABLE attempts (
    call_n       INTEGER NOT NULL REFERENCES calls (n) ON DELETE CASCADE,
    attempt      INTEGER NOT NULL,                -- from 1
    channel_id   TEXT NOT NULL,                   -- Asterisk's Uniqueid
    started      INTEGER NOT NULL,
    ringing      INTEGER,
    answered     INTEGER,
    ended        INTEGER,
    outcome      TEXT,
    cause        INTEGER,                         -- Q.850
    talk_ms      INTEGER,
    version      TEXT,                            -- of the scripts
    recording    TEXT,
    PRIMARY KEY (call_n, attempt)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: a cursor is never given twice. One writer numbers inside the change's own transaction, so a reader
-- never sees a number before all lower ones.
CREATE TABLE changes (
    cursor       INTEGER PRIMARY KEY AUTOINCREMENT,
    call_n       INTEGER NOT NULL REFERENCES calls (n) ON DELETE CASCADE,
    status       TEXT NOT NULL,
    outcome      TEXT,
    data         TEXT NOT NULL,
    attempt      INTEGER NOT NULL,
    at           INTEGER NOT NULL
) STRICT;

CREATE INDEX changes_call ON changes (call_n);
