"""The two data products: blog statistics and the real-estate watch. They know nothing of each other."""
