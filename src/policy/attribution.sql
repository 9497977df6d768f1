-- ---------------------------------------------------------------------------
-- policy: attribution, the evaluator and the trigger
-- ---------------------------------------------------------------------------

-- type

CREATE TYPE assay.attribution;

CREATE FUNCTION assay_internal.attribution_in(cstring) RETURNS assay.attribution
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.attribution_in(cstring) IS 'input: a JSON object';

CREATE FUNCTION assay_internal.attribution_out(assay.attribution) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.attribution_out(assay.attribution) IS 'output: a JSON object';

CREATE FUNCTION assay_internal.attribution_recv(internal) RETURNS assay.attribution
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.attribution_recv(internal) IS 'binary input';

CREATE FUNCTION assay_internal.attribution_send(assay.attribution) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay_internal.attribution_send(assay.attribution) IS 'binary output';

CREATE TYPE assay.attribution (
	INPUT = assay_internal.attribution_in,
	OUTPUT = assay_internal.attribution_out,
	RECEIVE = assay_internal.attribution_recv,
	SEND = assay_internal.attribution_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = double,
	STORAGE = extended
);
COMMENT ON TYPE assay.attribution IS 'ledger of one decision: prior + contributions = margin, in log-odds';

-- functions of the type

CREATE FUNCTION assay.margin(attribution assay.attribution) RETURNS float8
	AS 'MODULE_PATHNAME', 'attribution_margin' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.margin(assay.attribution) IS 'score of the decision in log-odds';

CREATE FUNCTION assay.prior(attribution assay.attribution) RETURNS float8
	AS 'MODULE_PATHNAME', 'attribution_prior' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.prior(assay.attribution) IS 'log-odds before any evidence';

CREATE FUNCTION assay.revision(attribution assay.attribution) RETURNS int
	AS 'MODULE_PATHNAME', 'attribution_revision' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.revision(assay.attribution) IS 'revision of the policy that decided';

CREATE FUNCTION assay.degraded(attribution assay.attribution) RETURNS boolean
	AS 'MODULE_PATHNAME', 'attribution_degraded' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION assay.degraded(assay.attribution) IS 'was the decision made without some of its evidence?';

CREATE FUNCTION assay.ledger(attribution assay.attribution,
	OUT entry int, OUT detector text, OUT kind text, OUT hit boolean, OUT counted boolean,
	OUT shadow boolean, OUT muted_by text, OUT forced text, OUT fault text,
	OUT contribution float8, OUT signals jsonb) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'attribution_ledger' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 10;
COMMENT ON FUNCTION assay.ledger(assay.attribution) IS
	'entries of an attribution as rows, the prior first; the counted contributions add up to the margin';

-- functions that users' own objects depend on

CREATE FUNCTION assay.score(policy text, signals record, revision int DEFAULT NULL, at timestamptz DEFAULT NULL, drafts boolean DEFAULT false,
	OUT verdict text, OUT score real, OUT attribution assay.attribution)
	AS 'MODULE_PATHNAME', 'assay_score' LANGUAGE C STABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION assay.score(text, record, int, timestamptz, boolean) IS
	'verdict, score and attribution of one row of signals, by the policy as it stands or as at a revision; drafts => true counts drafts as live';

CREATE FUNCTION assay.decide() RETURNS trigger
	AS 'MODULE_PATHNAME', 'assay_decide' LANGUAGE C;
COMMENT ON FUNCTION assay.decide() IS
	'trigger AFTER INSERT on a message table, for each statement (REFERENCING NEW TABLE) or row: decides the new messages by the policy it is given';
