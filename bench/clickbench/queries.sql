-- Questions in the manner of ClickBench over one table of page views.  One query a paragraph.

SELECT count(*) FROM hits

SELECT count(*) FROM hits WHERE adv_engine_id <> 0

SELECT sum(adv_engine_id), count(*), avg(resolution_width) FROM hits

SELECT avg(user_id) FROM hits

SELECT count(DISTINCT user_id) FROM hits

SELECT count(DISTINCT search_phrase) FROM hits

SELECT min(event_date), max(event_date) FROM hits

SELECT adv_engine_id, count(*) FROM hits WHERE adv_engine_id <> 0
GROUP BY adv_engine_id ORDER BY count(*) DESC, adv_engine_id

SELECT region_id, count(DISTINCT user_id) AS u FROM hits GROUP BY region_id
ORDER BY u DESC, region_id LIMIT 10

SELECT region_id, sum(adv_engine_id), count(*) AS c, avg(resolution_width), count(DISTINCT user_id)
FROM hits GROUP BY region_id ORDER BY c DESC, region_id LIMIT 10

SELECT mobile_phone_model, count(DISTINCT user_id) AS u FROM hits WHERE mobile_phone_model <> ''
GROUP BY mobile_phone_model ORDER BY u DESC, mobile_phone_model LIMIT 10

SELECT search_phrase, count(*) AS c FROM hits WHERE search_phrase <> ''
GROUP BY search_phrase ORDER BY c DESC, search_phrase LIMIT 10

SELECT search_engine_id, search_phrase, count(*) AS c FROM hits WHERE search_phrase <> ''
GROUP BY search_engine_id, search_phrase ORDER BY c DESC, search_engine_id, search_phrase LIMIT 10

SELECT user_id, count(*) FROM hits GROUP BY user_id ORDER BY count(*) DESC, user_id LIMIT 10

SELECT user_id, extract(minute FROM event_time) AS m, search_phrase, count(*) FROM hits
GROUP BY user_id, m, search_phrase ORDER BY count(*) DESC, user_id, m, search_phrase LIMIT 10

SELECT event_time, url FROM hits WHERE user_id = 79190 ORDER BY event_time, url

SELECT count(*) FROM hits WHERE url LIKE '%google%'

SELECT search_phrase, min(url), count(*) AS c FROM hits
WHERE url LIKE '%google%' AND search_phrase <> ''
GROUP BY search_phrase ORDER BY c DESC, search_phrase LIMIT 10

SELECT search_phrase, min(url), min(title), count(*) AS c, count(DISTINCT user_id) FROM hits
WHERE title LIKE '%Google%' AND url NOT LIKE '%.org/%' AND search_phrase <> ''
GROUP BY search_phrase ORDER BY c DESC, search_phrase LIMIT 10

SELECT watch_id, event_time, url FROM hits WHERE url LIKE '%google%'
ORDER BY event_time, watch_id, url LIMIT 10

SELECT search_phrase FROM hits WHERE search_phrase <> '' ORDER BY event_time, search_phrase LIMIT 10

SELECT counter_id, avg(length(url)) AS l, count(*) AS c FROM hits WHERE url <> ''
GROUP BY counter_id HAVING count(*) > 10000 ORDER BY l DESC, counter_id LIMIT 25

SELECT regexp_replace(referer, '^https?://(?:www\.)?([^/]+)/.*$', '\1') AS k,
  avg(length(referer)) AS l, count(*) AS c, min(referer) FROM hits WHERE referer <> ''
GROUP BY k HAVING count(*) > 1000 ORDER BY l DESC, k LIMIT 25

SELECT sum(resolution_width), sum(resolution_width + 1), sum(resolution_width + 2),
  sum(resolution_width + 3), sum(resolution_width + 4), sum(resolution_width + 5) FROM hits

SELECT search_engine_id, client_ip, count(*) AS c, sum(is_refresh), avg(resolution_width) FROM hits
WHERE search_phrase <> '' GROUP BY search_engine_id, client_ip
ORDER BY c DESC, search_engine_id, client_ip LIMIT 10

SELECT url, count(*) AS c FROM hits GROUP BY url ORDER BY c DESC, url LIMIT 10

SELECT url, count(*) AS views FROM hits
WHERE counter_id = 62 AND event_date BETWEEN '2013-07-01' AND '2013-07-31' AND is_refresh = 0
GROUP BY url ORDER BY views DESC, url LIMIT 10 OFFSET 5

SELECT traffic_source_id, search_engine_id, adv_engine_id,
  CASE WHEN search_engine_id = 0 AND adv_engine_id = 0 THEN referer ELSE '' END AS src, url AS dst,
  count(*) AS views
FROM hits WHERE counter_id = 62 AND is_refresh = 0
GROUP BY traffic_source_id, search_engine_id, adv_engine_id, src, dst
ORDER BY views DESC, traffic_source_id, search_engine_id, adv_engine_id, src, dst LIMIT 10

SELECT date_trunc('minute', event_time) AS m, count(*) AS views FROM hits
WHERE counter_id = 62 AND event_date BETWEEN '2013-07-14' AND '2013-07-15' AND is_refresh = 0
GROUP BY m ORDER BY m LIMIT 10 OFFSET 20

SELECT event_date, language, count(*), sum(price), avg(price), stddev_pop(price), bool_or(is_refresh = 1)
FROM hits GROUP BY event_date, language ORDER BY event_date, language

SELECT os, percentile_disc(0.5) WITHIN GROUP (ORDER BY resolution_height), max(load_seconds)
FROM hits GROUP BY os ORDER BY os

SELECT tags ->> 'campaign' AS campaign, count(*), count(price) FILTER (WHERE price > 500) FROM hits
WHERE tags IS NOT NULL GROUP BY ROLLUP (campaign) ORDER BY campaign NULLS LAST

SELECT DISTINCT ON (region_id) region_id, event_time, watch_id FROM hits WHERE region_id < 20
ORDER BY region_id, event_time DESC, watch_id
