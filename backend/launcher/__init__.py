"""`run_all.sh`: embedded servers, demo data, and one supervisor over every process of the platform.

Stands alone: it knows the platform only by its commands, environment names and health addresses.
"""
