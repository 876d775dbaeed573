"""The engine measured beside its peers: `bench/run.sh --help`, docs/performance.md."""
