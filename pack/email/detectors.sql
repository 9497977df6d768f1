CREATE TABLE assay.email_guard (guard text COLLATE "C" PRIMARY KEY, condition text NOT NULL, description text NOT NULL);
COMMENT ON TABLE assay.email_guard IS 'guards of the e-mail policy';
CREATE TABLE assay.email_detector (
	detector text COLLATE "C" PRIMARY KEY,
	category text NOT NULL CHECK (category IN ('phishing', 'bec', 'malware', 'scam', 'spam', 'graymail', 'general', 'suppressor')),
	severity text NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical', 'info')),
	weight float8 NOT NULL,
	mode text NOT NULL DEFAULT 'live' CHECK (mode IN ('live', 'shadow')),
	condition text NOT NULL,
	description text NOT NULL,
	false_positives text NOT NULL
);
COMMENT ON TABLE assay.email_detector IS 'detectors of the e-mail policy';
GRANT SELECT ON assay.email_guard, assay.email_detector TO PUBLIC;
INSERT INTO assay.email_guard VALUES ('trusted_sender', 'trusted AND auth_aligned', 'on our list, and authenticated');
INSERT INTO assay.email_detector VALUES ('x', 'phishing', 'high', 1, 'live', 'says_verify_account AND NOT trusted_sender', 'x', 'y');
