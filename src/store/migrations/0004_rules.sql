-- The rules of calling: why an order waits, what the order itself says of them, a number's past, the do-not-call list.

-- The number in one form, however it was written (ident: Phone::key): +7 912..., 8912..., 912... are one person.
ALTER TABLE calls ADD COLUMN number TEXT;
ALTER TABLE calls ADD COLUMN rules  TEXT;                         -- the set of rules that the order names
ALTER TABLE calls ADD COLUMN zone   TEXT;                         -- the callee's time zone, where the order tells it
ALTER TABLE calls ADD COLUMN hours  TEXT;                         -- calling hours of this order alone
ALTER TABLE calls ADD COLUMN waits  TEXT;                         -- JSON {rule, text, outcome}: why it is queued; NULL: for a line

-- Of outgoing attempts only: the past of a number is how often it was called.
ALTER TABLE attempts ADD COLUMN number TEXT;

UPDATE calls SET number = CASE
    WHEN phone LIKE '+%' THEN substr(phone, 2)
    WHEN length(phone) = 11 AND substr(phone, 1, 1) IN ('7', '8') THEN '7' || substr(phone, 2)
    WHEN length(phone) = 10 AND substr(phone, 1, 1) IN ('3', '4', '8', '9') THEN '7' || phone
    WHEN length(phone) > 11 AND phone LIKE '810%' THEN substr(phone, 4)
    ELSE phone END;
UPDATE attempts SET number = (SELECT number FROM calls WHERE n = call_n AND direction = 'outgoing');

CREATE INDEX calls_number    ON calls (number)             WHERE status = 'queued';
CREATE INDEX attempts_number ON attempts (number, started) WHERE number IS NOT NULL;

CREATE TABLE do_not_call (
    n            INTEGER PRIMARY KEY AUTOINCREMENT, -- pages go by it
    number       TEXT NOT NULL UNIQUE,
    phone        TEXT NOT NULL,                   -- as it was given
    reason       TEXT NOT NULL,
    who          TEXT NOT NULL,                   -- a call's id, or who asked over HTTP
    at           INTEGER NOT NULL
) STRICT;
