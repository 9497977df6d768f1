-- A larger table for look-ups: the corpus again and again, each time with its letters
-- exchanged; run by bench/signature.sh with n messages.
\set ON_ERROR_STOP 1
DROP TABLE IF EXISTS message;
CREATE TABLE message AS
SELECT row_number() OVER (ORDER BY at) AS id, at, (at AT TIME ZONE 'UTC')::date AS day, body, signature(body) AS sig
FROM (
	SELECT timestamptz '2024-01-01 00:00+00' + interval '3 days' * (abs(hashint8extended(d.id, k)) % 1000003 / 1000003.0) AS at,
		translate(lower(d.body), 'abcdefghijklmnopqrstuvwxyz', substr(letters || letters, 1 + k % 26, 26)) AS body
	FROM doc d, generate_series(0, 25) k, (SELECT 'abcdefghijklmnopqrstuvwxyz' AS letters) l
	ORDER BY k, d.id LIMIT :n) x;
ALTER TABLE message ADD PRIMARY KEY (id);
CREATE INDEX message_at ON message (at);
CREATE INDEX message_day ON message USING gin (signature_bands(sig, day));
CREATE INDEX message_day10 ON message USING gin (((signature_bands(sig, day))[1:10]));
CREATE INDEX message_ever ON message USING gin (signature_bands(sig));
CREATE INDEX message_trgm ON message USING gin (body gin_trgm_ops);
VACUUM ANALYZE message;
