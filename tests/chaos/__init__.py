"""Chaos: beats are killed, stopped and cut off from their data, and a checker that knows nothing of the engine judges.

`python -m chaos --help` (or `./run_chaos.sh`); docs/reliability.md tells what is promised and what was measured.
"""
