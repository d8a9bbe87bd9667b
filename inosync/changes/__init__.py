"""What has changed, and how it gathers. Imports nothing of inosync but errors and text."""
