"""The real-estate watch: complexes, their listings, a snapshot of each crawl, and what changed between two."""
