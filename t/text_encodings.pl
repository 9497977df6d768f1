# Texts in each encoding that a server may have: every byte and character of it
# is searched and taken apart without an error.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;

my @encodings = split /\n/, $node->safe_psql('postgres',
	q(SELECT pg_encoding_to_char(i) FROM generate_series(0, 34) i WHERE pg_encoding_to_char(i) <> '' AND pg_encoding_to_char(i) <> 'MULE_INTERNAL' ORDER BY i));

for my $encoding (@encodings)
{
	$node->safe_psql('postgres', qq(CREATE DATABASE "$encoding" TEMPLATE template0 ENCODING '$encoding' LOCALE 'C'));
	# Single bytes, and two and three of a sample, where they are a character
	my ($rc, $out, $err) = $node->psql($encoding, q(
		SET client_encoding = 'SQL_ASCII';
		CREATE EXTENSION pg_assay;
		CREATE TABLE c (c text);
		DO $$
		DECLARE
			candidate bytea;
			made text;
		BEGIN
			FOR candidate IN
				SELECT set_byte('\x00', 0, a) FROM generate_series(128, 255) a UNION ALL
				SELECT set_byte(set_byte('\x0000', 0, a), 1, b) FROM generate_series(128, 255) a, generate_series(161, 254, 6) b UNION ALL
				SELECT set_byte(set_byte(set_byte('\x000000', 0, a), 1, b), 2, d) FROM unnest('{143,226,232,239}'::int[]) a, generate_series(129, 254, 9) b, generate_series(129, 254, 9) d
			LOOP
				BEGIN
					made := convert_from(candidate, getdatabaseencoding());
					INSERT INTO c VALUES (made);
				EXCEPTION WHEN character_not_in_repertoire THEN NULL;
				END;
			END LOOP;
		END $$;
		SELECT count(*) > 100 OR getdatabaseencoding() = 'SQL_ASCII' FROM c;
		-- none of these fails
		SELECT count(*) FROM c WHERE assay.domain_of('a@' || c || 'xy.com') = 'x' OR assay.registrable_domain('www.' || c || '.com') = 'x';
		SELECT count(*) FROM c, assay.text_facts('a ' || c || ' b') f WHERE f.characters < 5 OR f.words < 2 OR f.letters < 2;
		SELECT count(*) FROM c, assay.auth_facts(jsonb_build_object('authentication-results', c || '.test; spf=pass (' || c || ') smtp.mailfrom="' || c || '"@a.test'),
			ARRAY[c || '.test']) f WHERE f.spf IS DISTINCT FROM 'pass' OR f.spf_domain IS DISTINCT FROM 'a.test' OR f.authserv_id <> c || '.test';
		SELECT count(*) FROM c, assay.received_facts(jsonb_build_object('received', 'from ' || c || ' (' || c || ' [198.51.100.7]) by ' || c)) f WHERE f.ip IS NULL OR f.helo IS NULL;
		SELECT count(*) FROM c, assay.url_facts(ARRAY['https://' || c || '@a.test/' || c, 'https://' || c || '.com'], ARRAY['https://a.test'], ARRAY['https://b.test/' || c], c) f WHERE f.urls <> 2 OR f.links <> 1 OR f.longest_url < 16;
		SELECT count(assay.phrase_hits(p, 'a ' || c || ' b')) = count(*) FROM c, (SELECT assay.phrases('{a}', '{b}') AS p) p;
		SELECT count(assay.phrase_hits(p, 'a ' || c || ' b')) = count(*) FROM c, (SELECT assay.phrases('{a}', '{\w}', 'regex') AS p) p;
		-- a skeleton is text of the encoding, too
		SELECT count(convert_from(convert_to(assay.skeleton('a' || c || 'm'), getdatabaseencoding()), getdatabaseencoding())) = count(*)
			AND count(assay.nearest_name(c || 'paypalpaypal' || c, ARRAY['paypalpaypal', c])) > 0 AND count(assay.link_mismatch('http://' || c || 'x.com', 'http://x.com/')) = count(*)
			AND count(assay.lookalike_domain('paypa' || c || 'l.com', '{paypal.com}')) >= 0 FROM c;
		SELECT count(assay.signature_words('Dear ' || c || c || ' a')) = count(*) AND min(assay.signature_length(assay.signature('a' || c || ' b'))) > 0 FROM c;
		-- and what is cut within a character is left out
		SELECT coalesce(bool_and(cardinality(assay.signature_words(repeat(' ', 32767) || c)) <= 1), true) FROM c WHERE hashtext(c) % 16 = 0;
		-- what a text model reads and names, and what a list has
		SELECT count(assay.text_score(m, 'buy ' || c || ' x' || c)) = count(*) AND bool_and(assay.text_score(m, jsonb_build_object('body', c || ' buy')) > 0)
			FROM c, (SELECT assay.text_model_publish(assay.text_model_of(true, 'buy now') OPERATOR(assay.+) assay.text_model_of(false, 'lunch')) AS m) m;
		SELECT count(*) = 0 OR bool_and(token IS NOT NULL) FROM (SELECT c FROM c WHERE hashtext(c) % 16 = 0) c,
			LATERAL assay.text_explain(assay.text_model_publish(assay.text_model_of(true, 'a ' || c || ' x' || c) OPERATOR(assay.+) assay.text_model_of(false, 'lunch')), 'a ' || c || ' x' || c, 1000);
		DO $$ BEGIN
			PERFORM assay.create_list('c');
			INSERT INTO assay.list (set, value) SELECT DISTINCT 'c', 'x' || c FROM c WHERE hashtext(c) % 16 = 0 OR octet_length(c) = 1;
		END $$;
		SELECT count(assay.list_match('c', 'x' || c)) = count(*) FROM c WHERE hashtext(c) % 16 = 0 OR octet_length(c) = 1;
		-- where one character is one code point, what matched is what stands there
		SELECT count(*) FROM c, (SELECT assay.phrases('{a}', ARRAY['wire\s\w+'], 'regex') AS p) p, LATERAL assay.phrase_matches(p, c || ' wire x ' || c || c || ' wire yz') m
		WHERE m.matched <> substr(c || ' wire x ' || c || c || ' wire yz', start_pos, end_pos - start_pos + 1);
		), on_error_stop => 0);
	is($err, '', "$encoding: no error");
	like($out, qr/^t\n0\n0\n0\n0\n0\nt\nt\nt\nt\nt\nt\nt\nt\n0$/, "$encoding: each is searched");
}

# The e-mail pack speaks languages that few encodings have: it comes whole, or not
my $phrases = q{CREATE EXTENSION pg_assay_email CASCADE; SET client_encoding = 'SQL_ASCII'; SELECT count(*), md5(string_agg(pattern, ',' ORDER BY pattern COLLATE "C")) FROM assay.phrase};
my %pack;
for my $encoding (qw(UTF8 SQL_ASCII LATIN1 WIN1252 EUC_JP EUC_KR))
{
	$node->safe_psql('postgres', qq(CREATE DATABASE "pack_$encoding" TEMPLATE template0 ENCODING '$encoding' LOCALE 'C'));
	my ($rc, $out, $err) = $node->psql("pack_$encoding", $phrases);
	$pack{$encoding} = $out;
	next if $encoding eq 'UTF8' || $encoding eq 'SQL_ASCII';
	like($err, qr/has no equivalent in encoding "$encoding"/, "$encoding: refused");
	is($node->safe_psql("pack_$encoding", q{SELECT count(*) FROM pg_extension WHERE extname ~ 'assay'}), '0', "$encoding: and nothing is there");
}
like($pack{UTF8}, qr/^\d{4,}\|/, 'the e-mail pack');
is($pack{SQL_ASCII}, $pack{UTF8}, 'byte for byte');

$node->stop;
done_testing();
