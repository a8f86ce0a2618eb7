"""The entropy coder beside other libraries' on the same symbols; started by scripts/bench-arith."""
