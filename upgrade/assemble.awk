# Prints an upgrade script, from a list of files on standard input: a file
# alone on its line whole, of one with names behind it only the functions,
# procedures and views of these names, as CREATE OR REPLACE, with their comments.
# What is not there is an error.

function fail(message) {
	print "upgrade/assemble.awk: " message >"/dev/stderr"
	failed = 1
	exit 1
}

# The name of the object that a statement begins to create or comment on, or ""
function object(line) {
	if (!sub(/^(CREATE( OR REPLACE)?|COMMENT ON) (FUNCTION|PROCEDURE|VIEW) assay(_internal)?\./, "", line))
		return ""
	sub(/[^a-z0-9_].*/, "", line)
	return line
}

# Print a file, or only what is wanted of it; a statement ends at a ";" that
# ends a line and stands in no $$ body.
function copy(file, all,    line, name, inside, dollars, got) {
	while ((got = (getline line <file)) > 0) {
		if (all) {
			print line
			continue
		}
		if (!inside && ((name = object(line)) in wanted)) {
			inside = 1
			dollars = 0
			if (line ~ /^CREATE/)
				wanted[name] = 1
			sub(/^CREATE (OR REPLACE )?/, "CREATE OR REPLACE ", line)
		}
		if (!inside)
			continue
		print line
		dollars += gsub(/\$\$/, "&", line)
		if (dollars % 2 == 0 && line ~ /;$/) {
			inside = 0
			if (dollars > 0)
				print ""
		}
	}
	close(file)
	if (got < 0)
		fail("can't read " file)
	for (name in wanted)
		if (!wanted[name])
			fail(file " creates no " name)
}

{ sub(/#.*/, "") }

NF > 0 {
	split("", wanted)
	for (i = 2; i <= NF; i++)
		wanted[$i] = 0
	print ""
	copy($1, NF == 1)
}

END { exit failed }
