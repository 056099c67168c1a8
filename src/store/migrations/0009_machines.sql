-- What a machine or an announcement answered is no talk with the person: limits of calls to a number tell them apart.

ALTER TABLE attempts ADD COLUMN machine INTEGER NOT NULL DEFAULT 0;   -- 1: by the answerer's verdict, whatever the outcome is

UPDATE attempts SET machine = 1 WHERE answered IS NOT NULL AND outcome IN ('machine', 'unreachable', 'invalid_number');
