# The notes in docs/reference/examples/*.sql, as lines for COPY: name, errors, example. docs/reference/examples/model.sql
# says how they are written.
function flush()
{
	if (entry != "")
	{
		sub(/(\\n)+$/, "", example)
		sub(/\\n$/, "", errors)
		print entry "\t" errors "\t" example
	}
	entry = errors = example = ""
}
FNR == 1 { flush() }
/^--= / { flush(); entry = substr($0, 5); next }
entry == "" { next }
{ line = $0; gsub(/\\/, "&&", line); gsub(/\t/, "\\t", line) }
/^--! none of its own$/ { errors = "None of its own."; next }
/^--! / {
	line = substr(line, 5)
	at = index(line, ":")
	names = substr(line, 1, at - 1)
	gsub(/, /, "`, `", names)
	errors = errors "- `" names "`" substr(line, at) "\\n"
	next
}
/^--[?+]/ { next }
/^--- / { line = substr(line, 5) }
{ if (example != "" || line != "") example = example line "\\n" }
END { flush() }
