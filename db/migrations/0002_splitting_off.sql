-- Shapes of queries whose split answer was once found to differ from the whole one's: they run
-- whole until their row is deleted.  `masked` is the query with a mark in place of each constant.
CREATE TABLE millrace.splitting_off (
    shape text PRIMARY KEY,
    masked text NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now(),
    split_digest text NOT NULL,
    whole_digest text NOT NULL
);
