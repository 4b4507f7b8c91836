-- For wrk: puzzles of a file, one a request, to `trm serve sudoku6`.
--   PUZZLES=FILE wrk -t1 -c64 -d8s -s bench/serve_rate.lua http://127.0.0.1:8080/
-- beside `trm solve sudoku6 --halt q=2 --json FILE` on the same file.
local puzzles, next_one = {}, 0
for line in io.lines(os.getenv("PUZZLES")) do puzzles[#puzzles + 1] = line end

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
request = function()
  next_one = next_one % #puzzles + 1
  local body = '{"model":"sudoku6","halt":"q","halt_margin":2,"puzzle":"' .. puzzles[next_one] .. '"}'
  return wrk.format(nil, "/v1/solve", nil, body)
end
