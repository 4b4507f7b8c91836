# Nonograms as pairs of grids that `trm data build grid` reads:
#   awk -f to_grid.awk nonograms_7.csv > nonograms.csv
#
# Each line of the input is "hints,cells": the hints of the columns, then of the rows, separated by
# '/', the lengths of a hint by '.'; the cells row by row, 1 black, 0 white. The question is the
# board as one draws it, hints above and to the left, '?' for the picture and '.' elsewhere; in the
# answer the picture is '#' black and '.' white, all else stays.
BEGIN {
  FS = ","
  print "question,answer"
}

{
  sub(/\r$/, "")
  size = int(sqrt(length($2)))
  depth = int((size + 1) / 2) # a line has no more runs
  if (size * size != length($2) || split($1, hint, "/") != 2 * size) {
    print FILENAME " line " FNR ": no nonogram" > "/dev/stderr"
    exit 1
  }
  question = answer = ""
  for (i = 1 - depth; i <= size; i++) {
    row = ""
    for (j = 1 - depth; j <= size; j++)
      if (i > 0 && j > 0) row = row "?"
      else if (i < 1 && j < 1) row = row "."
      else row = row (i < 1 ? number(hint[j], -i) : number(hint[size + i], -j))
    question = question (question == "" ? "" : "/") row
    if (i > 0) {
      picture = substr($2, (i - 1) * size + 1, size)
      gsub(/1/, "#", picture)
      gsub(/0/, ".", picture)
      row = substr(row, 1, depth) picture
    }
    answer = answer (answer == "" ? "" : "/") row
  }
  print question "," answer
}

# The number of a hint that stands `back` places before the last one; '.' when there is none.
function number(text, back,    n, run) {
  n = split(text, run, ".")
  return back < n ? run[n - back] : "."
}
