"""Stand-ins for the upstreams: real HTTP, a small deterministic world, faults on demand.

They import neither `app` nor `livebeat`, so that what they answer can't drift towards what our clients expect.
Run one with `python -m simulators velog` or `python -m simulators naver_land`.
"""
