-- Simple queries over TPC-H tables: filters, groups, joins, HAVING, top-k, DISTINCT, NULLs, empty
-- results, numerics.  One query a paragraph.

SELECT l_returnflag, l_linestatus, sum(l_quantity) AS sum_qty, sum(l_extendedprice) AS sum_base,
  sum(l_extendedprice * (1 - l_discount)) AS sum_disc,
  sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS sum_charge, avg(l_quantity) AS avg_qty,
  avg(l_extendedprice) AS avg_price, avg(l_discount) AS avg_disc, count(*) AS count_order
FROM lineitem WHERE l_shipdate <= date '1998-12-01' - interval '90' day
GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus

SELECT sum(l_extendedprice * l_discount) AS revenue FROM lineitem
WHERE l_shipdate >= date '1994-01-01' AND l_shipdate < date '1995-01-01'
  AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24

SELECT l_orderkey, sum(l_extendedprice * (1 - l_discount)) AS revenue, o_orderdate, o_shippriority
FROM customer, orders, lineitem
WHERE c_mktsegment = 'BUILDING' AND c_custkey = o_custkey AND l_orderkey = o_orderkey
  AND o_orderdate < date '1995-03-15' AND l_shipdate > date '1995-03-15'
GROUP BY l_orderkey, o_orderdate, o_shippriority ORDER BY revenue DESC, o_orderdate LIMIT 10

SELECT o_orderpriority, count(*) AS order_count FROM orders
WHERE o_orderdate >= date '1993-07-01' AND o_orderdate < date '1993-10-01'
  AND EXISTS (SELECT 1 FROM lineitem WHERE l_orderkey = o_orderkey AND l_commitdate < l_receiptdate)
GROUP BY o_orderpriority ORDER BY o_orderpriority

SELECT n_name, sum(l_extendedprice * (1 - l_discount)) AS revenue
FROM customer, orders, lineitem, supplier, nation, region
WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey AND l_suppkey = s_suppkey
  AND c_nationkey = s_nationkey AND s_nationkey = n_nationkey AND n_regionkey = r_regionkey
  AND r_name = 'ASIA' AND o_orderdate >= date '1994-01-01' AND o_orderdate < date '1995-01-01'
GROUP BY n_name ORDER BY revenue DESC

SELECT l_shipmode, sum(CASE WHEN o_orderpriority IN ('1-URGENT', '2-HIGH') THEN 1 ELSE 0 END) AS high,
  sum(CASE WHEN o_orderpriority NOT IN ('1-URGENT', '2-HIGH') THEN 1 ELSE 0 END) AS low
FROM orders JOIN lineitem ON o_orderkey = l_orderkey
WHERE l_shipmode IN ('MAIL', 'SHIP') AND l_commitdate < l_receiptdate AND l_shipdate < l_commitdate
GROUP BY l_shipmode ORDER BY l_shipmode

SELECT 100.00 * sum(CASE WHEN p_type LIKE 'PROMO%' THEN l_extendedprice * (1 - l_discount) ELSE 0 END)
  / sum(l_extendedprice * (1 - l_discount)) AS promo_revenue
FROM lineitem, part WHERE l_partkey = p_partkey
  AND l_shipdate >= date '1995-09-01' AND l_shipdate < date '1995-10-01'

SELECT extract(year FROM l_shipdate) AS year, count(*), min(l_shipdate), max(l_receiptdate)
FROM lineitem GROUP BY 1 ORDER BY 1

SELECT l_shipmode, l_shipinstruct, count(*), avg(l_tax), max(l_extendedprice), min(l_comment)
FROM lineitem GROUP BY l_shipmode, l_shipinstruct HAVING avg(l_tax) > 0.0399 ORDER BY 3 DESC, 1, 2

SELECT o_orderstatus, count(*), sum(o_totalprice), avg(o_totalprice), min(o_orderdate)
FROM orders GROUP BY o_orderstatus ORDER BY o_orderstatus

SELECT DISTINCT l_shipmode, l_returnflag FROM lineitem ORDER BY l_shipmode DESC, l_returnflag

SELECT l_orderkey, l_linenumber, l_extendedprice FROM lineitem
ORDER BY l_extendedprice DESC, l_orderkey, l_linenumber LIMIT 20

SELECT l_quantity, count(*) FROM lineitem WHERE l_discount = 0.1 GROUP BY l_quantity
ORDER BY count(*) DESC, l_quantity LIMIT 7 OFFSET 3

SELECT count(*), sum(l_quantity), max(l_comment), avg(l_tax) FROM lineitem WHERE l_quantity < 0

SELECT l_returnflag, count(*) FROM lineitem WHERE l_shipdate > date '2050-01-01' GROUP BY l_returnflag

SELECT c_mktsegment, count(o_orderkey), count(*), sum(o_totalprice)
FROM customer LEFT JOIN orders ON o_custkey = c_custkey AND o_totalprice > 300000
GROUP BY c_mktsegment ORDER BY c_mktsegment

SELECT NULLIF(l_linestatus, 'O') AS closed, CASE WHEN l_tax > 0.04 THEN l_tax END AS high_tax,
  count(*), sum(NULLIF(l_quantity, 1)) FROM lineitem GROUP BY 1, 2 ORDER BY 1 NULLS FIRST, 2 DESC

SELECT count(*) FROM lineitem WHERE l_partkey IN (SELECT p_partkey FROM part WHERE p_size > 45)
  AND l_comment LIKE '%furious%'

SELECT ps_suppkey, sum(ps_supplycost * ps_availqty) AS value FROM partsupp
GROUP BY ps_suppkey HAVING sum(ps_supplycost * ps_availqty) > 26000000 ORDER BY value DESC, ps_suppkey

SELECT round(l_extendedprice, -4) AS bucket, count(*), sum(l_extendedprice) / count(*) AS mean
FROM lineitem GROUP BY round(l_extendedprice, -4) ORDER BY bucket

SELECT date_trunc('month', o_orderdate) AS month, count(*) FILTER (WHERE o_orderstatus = 'F') AS done,
  sum(o_totalprice) FILTER (WHERE o_orderpriority = '5-LOW') AS low FROM orders
WHERE o_orderdate >= '1997-01-01' GROUP BY month ORDER BY month

SELECT upper(substring(l_comment FROM 1 FOR 1)) AS letter, length(l_shipmode) AS long, count(*),
  min(l_orderkey), max(l_partkey) FROM lineitem GROUP BY 1, 2 ORDER BY 1, 2

WITH big AS (SELECT o_orderkey, o_totalprice FROM orders WHERE o_totalprice > 400000)
SELECT l_shipmode, count(*), sum(l_quantity), max(big.o_totalprice)
FROM lineitem JOIN big ON big.o_orderkey = l_orderkey GROUP BY l_shipmode ORDER BY l_shipmode

SELECT count(DISTINCT l_suppkey), count(*) FROM lineitem WHERE l_shipmode = 'AIR'

SELECT o_orderkey, o_totalprice, o_clerk FROM orders WHERE o_clerk = 'Clerk#000000042'
ORDER BY o_totalprice DESC, o_orderkey
