-- It has more arguments and columns now.
DROP FUNCTION assay.precision_report(text, timestamptz, timestamptz, float8);
