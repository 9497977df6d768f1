-- the type model: text, binary, what it says of itself, what it refuses
CREATE SCHEMA test_model;
SET search_path = test_model;
CREATE TABLE stored (name text PRIMARY KEY, model assay.model);

-- A tree in text form: nodes in preorder, [id, cover, feature, "<", threshold, default] or [id, cover, value]
INSERT INTO stored VALUES ('tree', '{"pg_assay_model": 1, "format": "xgboost", "library": "3.2.0",
    "objective": "binary:logistic", "link": "logistic", "link_parameters": [1, 0], "single": true,
    "start": [0.5], "bias": [0], "scale": 1, "divisor": 1, "iterations": 1, "best_iteration": -1,
    "features": [{"name": "size", "kind": "numeric"}, {"name": "kind", "kind": "text", "categories": {"b": 1, "a": 0, "c": 2}}],
    "trees": [{"output": 0, "nodes": [
        [0, 10, 0, "<", 1.5, "left"],
            [1, 6, 1, "in", [0, 2], "right"],
                [3, 4, -0.25],
                [4, 2, 0.1],
            [2, 4, 1e-3]]}]}');
\pset format unaligned
SELECT model FROM stored WHERE name = 'tree';
SELECT model::text::assay.model::text = model::text FROM stored;
SELECT * FROM stored s, assay.model_info(s.model) \gx
SELECT f.* FROM stored s, assay.model_features(s.model) f;

-- All that a tree may hold: <=, zero and none missing, truncated codes, infinite thresholds, vectors, linear leaves
INSERT INTO stored VALUES ('all', '{"pg_assay_model": 1, "format": "lightgbm", "library": "", "objective": "",
    "link": "identity", "link_parameters": [0, 0], "single": false, "start": [0, -0.0], "bias": [1, 0.1], "scale": 0.5,
    "divisor": 3, "iterations": 7, "best_iteration": 2, "features": [{"kind": "numeric"}, {"kind": "category"}],
    "trees": [{"nodes": [[0, null, 0, "<=", "Infinity", "right", "zero"], [-1, null, [1, 2]], [-2, null, [3, 4.000000000000001]]]},
        {"output": 1, "nodes": [[0, null, 1, "in", [], "left", "none", "truncate"], [7, null, 1, 2, [0, 0.1, 1, 1e300]], [8, null, 5e-324]]}]}');
SELECT model FROM stored WHERE name = 'all';
SELECT assay.margin_vector(model, ARRAY[1, 2]::float8[]) FROM stored WHERE name = 'all';

-- A linear model
INSERT INTO stored VALUES ('linear', assay.model_from_linear('{"a b",c}', '{0.5,-2}', 0.25));
SELECT model FROM stored WHERE name = 'linear';
SELECT (assay.model_info(model)).* FROM stored WHERE name = 'linear' \gx
SELECT assay.margin(assay.model_from_linear('{a,b}', '{0.5,-2}', 0.25, 'identity'), ARRAY[1, 2]::float8[]) AS identity,
    round(assay.predict(assay.model_from_linear('{a,b}', '{0.5,-2}', 0.25), ARRAY[1, 2]::float8[])::numeric, 12) AS logistic,
    round(assay.predict(assay.model_from_linear('{a,b}', '{0.5,-2}', 0.25, 'exp'), ARRAY[1, NULL]::float8[])::numeric, 12) AS exp;
SELECT assay.model_from_linear('{a,b}', '{1}', 0);
SELECT assay.model_from_linear('{a,a}', '{1,2}', 0);
SELECT assay.model_from_linear('{a,NULL}', '{1,2}', 0);
SELECT assay.model_from_linear('{a}', '{NaN}', 0);
SELECT assay.model_from_linear('{a}', '{1}', 'Infinity');
SELECT assay.model_from_linear('{a}', '{1}', 0, 'softmax');
SELECT assay.model_from_linear('{}', '{}', 0);
SELECT assay.model_from_linear('{{a}}', '{{1}}', 0);

-- Names for a model that has none
SELECT f.name, kind FROM stored s, assay.model_features(assay.model_with_names(s.model, '{x,y}')) f WHERE s.name = 'all';
SELECT assay.margin_vector(assay.model_with_names(s.model, '{x,y}'), v) FROM stored s, (SELECT 1 AS x, 2 AS y) v WHERE name = 'all';
SELECT assay.model_with_names(model, '{x}') FROM stored WHERE name = 'all';
SELECT assay.model_with_names(model, '{x,x}') FROM stored WHERE name = 'all';
SELECT assay.model_with_names(model, '{x,""}') FROM stored WHERE name = 'all';

-- Stored out of line as it is, never compressed; exact through text, binary and a table's copy
SELECT attstorage, typalign FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
WHERE attrelid = 'stored'::regclass AND attname = 'model';
CREATE TABLE copied (LIKE stored);
\set file `mktemp -u /tmp/assay_model.XXXXXX`
COPY stored TO :'file' (FORMAT binary);
COPY copied FROM :'file' (FORMAT binary);
\setenv file :file
\! rm -f "$file"
SELECT name, assay_internal.model_send(copied.model) = assay_internal.model_send(stored.model) AS binary_same,
    assay.model_digest(copied.model) = assay.model_digest(stored.model) AS digest_same,
    assay.model_digest(stored.model::text::assay.model) = assay.model_digest(stored.model) AS text_same
FROM copied JOIN stored USING (name) ORDER BY name;

-- Bytes that are no model: a header that is spoilt
\set type assay.model
\set ECHO none
\i sql/fixtures/try_binary.sql
\set ECHO all
SELECT encode(assay_internal.model_send(model), 'hex') AS good FROM stored WHERE name = 'linear' \gset
SELECT try_binary(:'good') = model::text AS good FROM stored WHERE name = 'linear';
SELECT what, try_binary(overlay(:'good' placing hex FROM from_byte * 2 + 1)) FROM (VALUES
	('version', 0, '7fff'),
	('format', 2, 'ff'),
	('link', 3, 'ff'),
	('no features', 8, '00000000'),
	('outputs beyond the limit', 12, '7fffffff'),
	('iterations', 52, 'ffffffff'),
	('reserved', 68, '00000001'),
	('library', 64, '7fffffff'),
	('scale NaN', 88, '7ff8000000000000'),
	('divisor 0', 96, '0000000000000000'),
	('divisor < 0', 96, 'bff0000000000000'),
	('divisor infinite', 96, '7ff0000000000000')) v(what, from_byte, hex);
SELECT try_binary(left(:'good', -2)) AS truncated, try_binary(:'good' || '00') AS longer, try_binary('') AS empty;
SELECT pg_backend_pid() AS pid \gset
\setenv pid :pid
\! rm -f /tmp/assay_binary.$pid
DROP FUNCTION try_binary;

-- Equal content is the same model, whoever made it; any difference is another
SELECT count(DISTINCT assay.model_digest(model)) FROM stored;
SELECT assay.model_digest(assay.model_from_linear('{"a b",c}', '{0.5,-2}', 0.25)) = assay.model_digest(model) AS same,
    assay.model_digest(assay.model_from_linear('{"a b",c}', '{0.5,-2.0000000000000004}', 0.25)) = assay.model_digest(model) AS other
FROM stored WHERE name = 'linear';

-- Text that is no model. The template: one tree, to be spoilt
CREATE FUNCTION try(text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
    RETURN 'accepted: ' || left($1::assay.model::text, 17);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN SQLSTATE || ' ' || SQLERRM || coalesce(': ' || nullif(detail, ''), '');
END $$;
CREATE FUNCTION spoil(what text, by text) RETURNS text LANGUAGE sql AS $$
    SELECT try(replace('{"pg_assay_model":1,"format":"xgboost","library":"1","objective":"o","link":"identity","link_parameters":[0,0],"single":false,"start":[0],"bias":[0],"scale":1,"divisor":1,"iterations":1,"best_iteration":-1,"features":[{"name":"f","kind":"numeric"}],"trees":[{"output":0,"nodes":[[0,3,0,"<",1.5,"left"],[1,2,5],[2,1,6]]}]}', what, by))
$$;
SELECT spoil('', '') LIKE 'accepted%';
SELECT what, by, spoil(what, by) FROM (VALUES
    ('{"pg_assay_model"', '{"other"'), ('_model":1', '_model":2'), ('"xgboost"', '"else"'), ('"identity"', '"cubic"'),
    ('"identity"', '7'), ('"start":[0]', '"start":[]'), ('"start":[0]', '"start":[null]'), ('"start":[0]', '"start":["NaN"]'),
    ('"start":[0]', '"start":[0,1]'), ('"single":false', '"single":2'), ('"scale":1', '"scale":"Infinity"'),
    ('"divisor":1', '"divisor":0'), ('"divisor":1', '"divisor":-1'), ('[0,0],"s', '[0],"s'), ('"kind":"numeric"', '"kind":"image"'),
    ('"name":"f"', '"name":""'), ('"features":[{"name":"f","kind":"numeric"}]', '"features":[]'),
    ('"features":[{"name":"f","kind":"numeric"}]', '"features":[{"name":"f","kind":"numeric"},{"name":"f","kind":"numeric"}]'),
    ('"features":[{"name":"f","kind":"numeric"}]', '"features":[{"name":"f","kind":"numeric"},{"kind":"numeric"}]'),
    ('"output":0', '"output":1'), ('"output":0,', ''), ('"trees"', '"weights"'), ('"trees":[{"output":0', '"trees":[3,{"output":0'),
    ('[[0,3,0,"<",1.5,"left"],[1,2,5],[2,1,6]]', '[]'), ('[[0,3,0,"<",1.5,"left"],[1,2,5],[2,1,6]]', 'null'),
    (',[2,1,6]', ''), ('[0,3,0,"<",1.5,"left"],', ''), ('[1,2,5]', '[0,2,5]'), ('[1,2,5]', '[1,2]'), ('[1,2,5]', '[1,-2,5]'),
    ('[1,2,5]', '[1,"NaN",5]'), ('[1,2,5]', '[1,2,"NaN"]'), ('[1,2,5]', '[1,2,1e999]'), ('[1,2,5]', '[1.5,2,5]'),
    ('[1,2,5]', '[2147483648,2,5]'), ('[1,2,5]', '[1,2,[5]]'), ('[1,2,5]', '[1,2,5,6]'), ('[1,2,5]', '[1,2,5,6,[0]]'),
    ('[1,2,5]', '[1,2,5,6,[1,1]]'), ('[1,2,5]', '[1,2,5,6,[0,"x"]]'), ('3,0,"<"', '3,1,"<"'), ('3,0,"<"', '3,-1,"<"'), ('"<"', '">"'),
    ('1.5', '"NaN"'), ('1.5', 'null'), ('"left"', '"up"'), ('"left"', '"left","sometimes"'), ('"<",1.5', '"in",1.5'),
    ('"<",1.5', '"in",[-1]'), ('"<",1.5', '"in",[1048576]'), ('"<",1.5', '"in",[1048575]'), (']]}]}', ']]'), (']]}]}', ']]}]} x'), ('"left"]', '"left"],')
) AS v (what, by);
-- a message that is cut within a character ends before it
SELECT n, right(convert_from(convert_to(spoil('"features":[{"name":"f","kind":"numeric"}]', format('"features":[{"name":"%1$s","kind":"numeric"},{"name":"%1$s","kind":"numeric"}]',
	repeat('x', n) || repeat(chr(233), 500))), 'UTF8'), 'UTF8'), 4) FROM generate_series(0, 1) n;
-- no importer makes these: they come as text
SELECT spoil('"xgboost"', '"scikit-learn"') LIKE 'accepted%', (assay.model_info('{"pg_assay_model":1,"format":"scikit-learn","library":"1.9","objective":"Ridge","link":"identity","link_parameters":[1,0],"single":false,"start":[0],"bias":[0],"scale":1,"divisor":1,"iterations":0,"best_iteration":-1,"features":[{"name":"f","kind":"numeric"}],"weights":[[2]]}')).format;
SELECT left(what, 12) AS what, try(what) FROM unnest(ARRAY['', ' ', 'null', '[]', '7', '{}', repeat('[', 64), repeat('[', 65), repeat('{"a":', 100), '{''"'':[1]}']) what;
SELECT model_in FROM assay_internal.model_in('{"pg_assay_model":1}');

SET client_min_messages = warning;
DROP SCHEMA test_model CASCADE;
