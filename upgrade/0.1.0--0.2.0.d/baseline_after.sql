-- A view that is replaced keeps its old columns' comments, and has none of a new one.

COMMENT ON COLUMN assay.baseline_info.note IS 'numbers of messages far out of line with the others';
