"""The old crawler's tables first (0001), then what is ours."""
