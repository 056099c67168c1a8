-- Lanes: orders of one dialog whose numbers go by the same trunks; and which trunk an attempt went by.

ALTER TABLE calls    ADD COLUMN route TEXT NOT NULL DEFAULT '';   -- outbound::trunks: the longest prefix of a trunk
ALTER TABLE attempts ADD COLUMN trunk TEXT;                       -- NULL: an incoming call, or no trunk serves the number

-- Each lane's head in one step, whatever its length.
CREATE INDEX calls_lanes ON calls (dialog, route, priority DESC, n) WHERE status = 'queued' AND ready = 1;
DROP INDEX calls_ready;
