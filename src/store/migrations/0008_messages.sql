-- Messages: recordings of what the person says after a prompt, beside the recording of the call.

ALTER TABLE recordings ADD COLUMN what TEXT NOT NULL DEFAULT 'call';   -- call, message
ALTER TABLE recordings ADD COLUMN ended_by TEXT;                       -- of a message: speech, digits, no_input, too_long, hang_up, failed
ALTER TABLE recordings ADD COLUMN length_ms INTEGER;                   -- of a message
