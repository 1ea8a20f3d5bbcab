-- A table of page views: {rows} of them, the same for the same {seed}.  Users, regions, phrases and
-- addresses are skewed as in a web site's log, most phrases empty, times within a month.

DROP TABLE IF EXISTS hits

CREATE TABLE hits (
  watch_id bigint NOT NULL, event_time timestamp NOT NULL, event_date date NOT NULL,
  counter_id int NOT NULL, user_id bigint NOT NULL, region_id int NOT NULL, client_ip int NOT NULL,
  url text NOT NULL, referer text NOT NULL, title text NOT NULL, search_phrase text NOT NULL,
  search_engine_id smallint NOT NULL, adv_engine_id smallint NOT NULL,
  resolution_width smallint NOT NULL, resolution_height smallint NOT NULL,
  os smallint NOT NULL, mobile_phone_model text NOT NULL, is_refresh smallint NOT NULL,
  traffic_source_id smallint NOT NULL, price numeric(10,2), load_seconds double precision,
  language char(2), tags jsonb)

INSERT INTO hits
SELECT a.h % 9000000000 + 1000000000, a.at, a.at::date,
  (power(a.r1, 3) * 500)::int, (power(a.r2, 2) * {rows} / 20)::bigint * 7919, (power(a.r3, 4) * 900)::int,
  (a.h >> 7) % 2000000,
  'http://example.' || (ARRAY['com', 'org', 'net'])[1 + a.h % 3] || '/' || (power(a.r1, 3) * 300)::int
    || '/page-' || (power(a.r2, 3) * 3000)::int || CASE WHEN a.h % 11 = 0 THEN '?q=google' ELSE '' END,
  CASE WHEN a.h % 3 = 0 THEN '' ELSE 'https://www.site' || (power(a.r3, 3) * 200)::int || '.test/from/'
    || (a.h % 50) END,
  'Title ' || (power(a.r2, 3) * 3000)::int || CASE WHEN a.h % 97 = 0 THEN ' Google' ELSE '' END,
  CASE WHEN a.h % 8 = 0 THEN 'phrase ' || (power(a.r3, 3) * 5000)::int ELSE '' END,
  CASE WHEN a.h % 8 = 0 THEN (a.h >> 5) % 5 + 1 ELSE 0 END, CASE WHEN a.h % 31 = 0 THEN (a.h >> 5) % 20 ELSE 0 END,
  (ARRAY[1920, 1366, 1280, 1024, 360, 0])[1 + (power(a.r1, 2) * 5)::int], (a.h >> 9) % 1200,
  (a.h >> 11) % 40, CASE WHEN a.h % 13 = 0 THEN 'model ' || (power(a.r2, 2) * 80)::int ELSE '' END,
  (a.h % 9 = 0)::int, (a.h >> 13) % 10 - 1, CASE WHEN a.h % 17 = 0 THEN (a.h % 100000) / 100.0 END,
  CASE WHEN a.h % 19 <> 0 THEN power(a.r1, 2) * 10 END, (ARRAY['en', 'de', 'fr', 'ru'])[1 + a.h % 4],
  CASE WHEN a.h % 23 = 0 THEN jsonb_build_object('campaign', a.h % 12) END
FROM (
  SELECT h, (h & 65535) / 65536.0 AS r1, ((h >> 16) & 65535) / 65536.0 AS r2,
    ((h >> 32) & 65535) / 65536.0 AS r3,
    timestamp '2013-07-01' + ((h >> 20) % 2678400) * interval '1 second' AS at
  FROM (
    SELECT hashint8extended(i, {seed}) & 4611686018427387903 AS h FROM generate_series(1, {rows}) AS i
  ) AS hashed) AS a

ALTER TABLE hits ADD PRIMARY KEY (watch_id, event_time, user_id, client_ip)

VACUUM ANALYZE hits
