"""Blog statistics: velog users, their posts, and one row of totals a post and day."""
